import ast
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import LearningRateChanged
from dpdash.core.own_data import OwnData
from dpdash.core.translations import language
from dpdash.files.script import SAID, ScriptName, command, script, script_of
from tests.strategies import run_configs

NAMES = {
    "samples": "SAMPLES",
    "noise": "NOISE",
    "seed": "SEED",
    "epochs": "EPOCHS",
    "learning_rate": "LEARNING_RATE",
    "warmup_epochs": "WARMUP_EPOCHS",
    "global_batch_size": "GLOBAL_BATCH_SIZE",
    "replicas": "REPLICAS",
    "bucket_cap_mb": "BUCKET_CAP_MB",
    "accumulation_steps": "MICRO_BATCHES",
    "hidden_width": "HIDDEN_WIDTH",
    "hidden_depth": "HIDDEN_LAYERS",
}
"""What a script calls each setting; the optimizer is a line of code, and the engine the script itself."""
ONLY_BATCHES = {"global_batch_size"}
ONLY_MLP = {"hidden_width", "hidden_depth"}
LEFT_OUT = {"warmup_epochs", "bucket_cap_mb", "accumulation_steps"}
"""What a script does not say where it is as usual."""
LONGEST_LINE = 100


def values_in(source: str) -> dict[str, object]:
    """The constants that a script sets at its top."""
    return {
        statement.targets[0].id: statement.value.value
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Constant)
    }


@given(config=run_configs(), name=st.sampled_from(ScriptName))
def test_every_config_gives_a_script_that_compiles_and_holds_its_settings(
    config: RunConfig, name: ScriptName
) -> None:
    source = script(name, config)
    compile(source, name.file_name, "exec")
    absent = ONLY_BATCHES if config.global_batch_size is None else set()
    absent = absent | (set() if config.hidden_depth else ONLY_MLP)
    absent = absent | {name for name in LEFT_OUT if getattr(config, name) == getattr(RunConfig(), name)}
    values = values_in(source)
    shown = {setting: values[constant] for setting, constant in NAMES.items() if setting not in absent}
    assert shown == {setting: getattr(config, setting) for setting in shown}
    assert not {NAMES[setting] for setting in absent} & set(values)
    assert "$" not in source
    assert "\n#: " not in source
    assert max(map(len, source.splitlines())) <= LONGEST_LINE


@given(config=run_configs(), name=st.sampled_from(ScriptName))
def test_in_another_language_it_says_the_same_and_does_the_same(config: RunConfig, name: ScriptName) -> None:
    english, portuguese = script(name, config), script(name, config, language("pt_BR"))
    assert set(re.findall("(?m)(?<=# ).+$", english)) <= set(SAID)
    left = {text for text in SAID if re.search(rf"(?m)(^|# ){re.escape(text)}$", portuguese)}
    assert not left, "said in English"
    undocumented = [ast.parse(source).body[1:] for source in (english, portuguese)]
    assert ast.dump(ast.Module(undocumented[0], [])) == ast.dump(ast.Module(undocumented[1], []))
    compile(portuguese, name.file_name, "exec")


@pytest.mark.parametrize("name", ScriptName)
@pytest.mark.parametrize("is_standardised", [False, True])
def test_a_script_for_own_data_knows_no_true_line_in_any_language(name: ScriptName, is_standardised: bool) -> None:
    config = RunConfig().on(
        OwnData(digest="0" * 64, name="it's $a # b.csv", rows=5, is_standardised=is_standardised)
    )
    english, portuguese = script(name, config), script(name, config, language("pt_BR"))
    compile(portuguese, name.file_name, "exec")
    assert values_in(english)["DATA_FILE"] == "it's $a # b.csv"
    assert not [text for text in ("3x", "NOISE", "(true") if text in english + portuguese]
    left = {text for text in SAID if re.search(rf"(?m)(^|# ){re.escape(text)}$", portuguese)}
    assert not left, "said in English"
    assert max(map(len, (english + portuguese).splitlines())) <= LONGEST_LINE + 10


@pytest.mark.parametrize("name", ScriptName)
def test_a_warm_up_is_torchs_linear_lr_and_ends_where_the_rate_was_moved(name: ScriptName) -> None:
    config = RunConfig(warmup_epochs=5)
    for changes, ends in (
        ((), False),
        ((LearningRateChanged(5, 0.01),), True),
        ((LearningRateChanged(6, 1),), False),
    ):
        source = script(name, config, changes=changes)
        compile(source, name.file_name, "exec")
        assert source.count("    scheduler.step()\n") == source.count("LinearLR(") == 1
        assert ("total_iters = 0" in source) is ends
    assert "scheduler" not in script(name, RunConfig())


@pytest.mark.parametrize("name", ScriptName)
def test_a_learning_rate_that_was_moved_changes_at_its_epochs(name: ScriptName) -> None:
    changes = (LearningRateChanged(59, 0.5), LearningRateChanged(80, 0.1))
    for config in (RunConfig(), RunConfig(global_batch_size=100)):
        source = script(name, config, changes=changes)
        compile(source, name.file_name, "exec")
        assert "    59: 0.5,\n    80: 0.1,\n" in source
        assert source.count("LEARNING_RATES[epoch]") == 1
        assert "a partir destas" in script(name, config, language("pt_BR"), changes)
        back = (LearningRateChanged(59, config.learning_rate),)
        assert script(name, config, changes=back) == script(name, config)


@pytest.mark.parametrize("size", [None, 10])
def test_the_script_of_ddp_exchanges_once_for_all_micro_batches(size: int | None) -> None:
    usual = RunConfig(samples=50, global_batch_size=size, engine=EngineName.DDP, replicas=2)
    own = usual.model_copy(update={"accumulation_steps": 3, "bucket_cap_mb": 0.5})
    source = script(ScriptName.DDP, own)
    assert source.count("with parallel.no_sync():") == source.count(" = backward_of_parts(") + (size is not None)
    assert "DistributedDataParallel(model, bucket_cap_mb=BUCKET_CAP_MB)" in source
    assert not [
        text for text in ("no_sync", "backward_of_parts", "bucket") if text in script(ScriptName.DDP, usual)
    ]


def test_every_setting_is_in_a_script() -> None:
    assert set(RunConfig.model_fields) == {*NAMES, "optimizer", "engine", "data", "devices"}
    named = RunConfig(engine="ddp", replicas=2, devices=(2, 0))
    for name in ScriptName:
        assert command(name, named).startswith("CUDA_VISIBLE_DEVICES=2,0 ")
        assert not command(name, RunConfig()).startswith("CUDA")


@pytest.mark.parametrize("name", ScriptName)
def test_a_script_imports_torch_and_the_standard_library_alone(name: ScriptName) -> None:
    imported = {
        module.split(".")[0]
        for node in ast.walk(ast.parse(script(name, RunConfig())))
        for module in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"torch"}


@pytest.mark.parametrize("name", ScriptName)
@pytest.mark.parametrize("size", [None, 10])
def test_batches_come_from_a_data_loader(name: ScriptName, size: int | None) -> None:
    source = script(name, RunConfig(samples=50, global_batch_size=size))
    assert ("DataLoader" in source) is (size is not None)


@pytest.mark.parametrize("engine", EngineName)
def test_the_script_of_an_engine(engine: EngineName) -> None:
    assert script_of(engine) is (ScriptName.DDP if engine is EngineName.DDP else ScriptName.DATA_PARALLEL)


def test_commands() -> None:
    config = RunConfig(engine="cpu_replicas", replicas=3)
    assert command(ScriptName.DATA_PARALLEL, config) == "python data_parallel.py"
    assert (
        command(ScriptName.DDP, config) == "torchrun --standalone --local-addr 127.0.0.1 --nproc-per-node 3 ddp.py"
    )
