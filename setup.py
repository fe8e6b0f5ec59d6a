"""What the wheel holds besides the folders of the package: the launcher and what it needs, as one more."""

from setuptools import find_namespace_packages, setup

FOLDERS = find_namespace_packages(include=["dpdash", "dpdash.*"], exclude=["*.__pycache__"])
DASHBOARD = "dpdash.dashboard"

setup(
    script_name="setup.py",  # which is then no module of the dashboard's folder, the root of the checkout
    packages=[*FOLDERS, DASHBOARD, f"{DASHBOARD}.pages"],
    package_dir={DASHBOARD: ".", f"{DASHBOARD}.pages": "pages"},
    package_data={
        **{folder: ["*"] for folder in FOLDERS},
        DASHBOARD: [".streamlit/config.toml", "docs/how-*.md", "docs/images/*.svg"],
    },
)
