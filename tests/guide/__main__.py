"""`make figures`: the figures and the measured sentences of the guide, from runs on this machine."""

from typing import Final

from rich.console import Console

from dpdash.core.translations import language
from dpdash.ui.guide.page import DOCUMENT, document_path
from tests.bench import machine
from tests.guide import measure
from tests.guide.blocks import IMAGES, Block, Blocks, filled
from tests.guide.words import WORDS

FOLDER: Final = DOCUMENT.parent / IMAGES

progress = Console(stderr=True)


def main() -> None:
    described = machine.describe()
    with progress.status("training"):
        gradients, curves, rule = measure.gradients(), measure.curves(), measure.rule()
    with progress.status("measuring"):
        phases, steps = measure.phases(), measure.steps()
    for code, words in WORDS.items():
        blocks = Blocks(language(code), words, described)
        write(
            code,
            {
                "phases": blocks.phases(phases),
                "gradients": blocks.gradients(gradients),
                "curves": blocks.curves(curves),
                "speed": blocks.steps(steps),
                "rule": blocks.rule(rule),
                "machine": blocks.machine(),
            },
        )


def write(code: str, blocks: dict[str, Block]) -> None:
    path = document_path(code)
    path.write_text(filled(path.read_text(), blocks))
    for block in blocks.values():
        for file, figure in block.figures.items():
            (FOLDER / file).write_text(figure)


if __name__ == "__main__":
    main()
