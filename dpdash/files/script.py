"""The same training as a script of its own, which needs torch and nothing of this program.

The scripts stand as they read in `standalone/`; what depends on the settings is put in here.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Final

from dpdash.core.config import TRUE_SLOPE, X_HIGH, X_LOW, EngineName, OptimizerName, RunConfig
from dpdash.core.errors import N_
from dpdash.core.events import LearningRateChanged
from dpdash.core.learning_rates import WARMUP_FACTOR, moves
from dpdash.core.translations import Language
from dpdash.core.translations import language as language_of

FOLDER: Final = Path(__file__).with_name("standalone")
NUM_REPORTS: Final = 10
"""Losses that a script prints on its way."""
SECTION: Final = "#: "
"""Begins a line of a script's template which says for which way to train the lines below it are."""

OPTIMIZERS: Final = {
    OptimizerName.ADAM: "optim.Adam(model.parameters(), lr=LEARNING_RATE)",
    OptimizerName.ADAMW: "optim.AdamW(model.parameters(), lr=LEARNING_RATE)",
    OptimizerName.SGD: "optim.SGD(model.parameters(), lr=LEARNING_RATE)",
    OptimizerName.SGD_MOMENTUM: "optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)",
    OptimizerName.RMSPROP: "optim.RMSprop(model.parameters(), lr=LEARNING_RATE)",
}
DATA: Final = f"""\
# YOUR DATA instead of these lines: tensors x and y with a row a sample, and SAMPLES = len(x).
# One generator draws the data, then the weights, then the shuffles: equal seeds, equal numbers.
torch.manual_seed(SEED)
x = torch.rand(SAMPLES, 1) * {X_HIGH - X_LOW:g} - {-X_LOW:g}
y = x * {TRUE_SLOPE:g} + torch.randn(SAMPLES, 1) * NOISE"""
OWN_DATA: Final = """\
# YOUR DATA instead of these lines: tensors x and y with a row a sample, and SAMPLES = len(x).
# The numbers of the file's rows; what else stands there is its header.
rows = []
with open(DATA_FILE, encoding="utf-8-sig") as file:
    text = file.read()
separator = next((sign for sign in ";\\t" if sign in text), ",")
columns = ["x", "y"]
for line in text.splitlines():
    cells = [cell.strip(" \\"\\n") for cell in line.split(separator)]
    if sorted(cell.lower() for cell in cells) == ["x", "y"]:
        columns = [cell.lower() for cell in cells]
    elif line.strip():
        rows.append([float(cell if separator == "," else cell.replace(",", ".")) for cell in cells])
numbers = torch.tensor(rows, dtype=torch.float64)
x, y = (numbers[:, [columns.index(name)]] for name in "xy")"""
STANDARDISED: Final = """
# In standard units: less the mean, in standard deviations; a line's slope then is in these units too.
x, y = ((values - values.mean()) / values.std(correction=0).clamp_min(1e-300) for values in (x, y))"""
OWN_END: Final = """
x, y = x.float(), y.float()
torch.manual_seed(SEED)  # draws the weights, then the shuffles"""
YOUR_MODEL: Final = "# YOUR MODEL instead of these lines: any nn.Module that turns x into the shape of y."
LINE: Final = f"""\
{YOUR_MODEL}
model = nn.Linear(1, 1)  # a straight line: its weight is the slope, its bias the intercept"""
MLP: Final = f"""\
{YOUR_MODEL}
layers = []
for layer in range(HIDDEN_LAYERS):
    layers += [nn.Linear(HIDDEN_WIDTH if layer else 1, HIDDEN_WIDTH), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(HIDDEN_WIDTH, 1))"""
YOUR_RESULT: Final = "# YOUR RESULT instead of these lines: what your model has learned, as numbers with names."
LINE_RESULT: Final = f"""\
{YOUR_RESULT}
slope, intercept = model.weight.item(), model.bias.item()"""
MLP_RESULT: Final = f"""\
{YOUR_RESULT}
# A network has no slope of its own: this is the line that fits its predictions best.
with torch.no_grad():
    predictions = model(x)
centred = x - x.mean()
slope = ((centred * predictions).sum() / centred.square().sum().clamp_min(1e-30)).item()
intercept = (predictions.mean() - slope * x.mean()).item()"""
COMMENT: Final = re.compile("(?<=# ).+$", re.MULTILINE)
ENGLISH: Final = language_of("en")
# Lines of the templates, and comments: what of a script is in the reader's language.
SAID: Final = (
    N_('"""y = 3x + noise, trained with torch\'s nn.DataParallel.'),
    N_('"""y = 3x + noise, trained with torch\'s DistributedDataParallel: a process (rank) a replica.'),
    N_('"""A line through own data, trained with torch\'s nn.DataParallel.'),
    N_('"""A line through own data, trained with torch\'s DistributedDataParallel: a process a replica.'),
    N_("Start it with:  $command"),
    N_("With a file name behind it, every loss is written there, as JSON."),
    N_("YOUR DATA instead of these lines: tensors x and y with a row a sample, and SAMPLES = len(x)."),
    N_("The numbers of the file's rows; what else stands there is its header."),
    N_("In standard units: less the mean, in standard deviations; a line's slope then is in these units too."),
    N_("draws the weights, then the shuffles"),
    N_("YOUR MODEL instead of these lines: any nn.Module that turns x into the shape of y."),
    N_("YOUR RESULT instead of these lines: what your model has learned, as numbers with names."),
    N_("batch_size=None: the sampler makes the batches. Its own generator leaves the seeded one alone."),
    N_("One generator draws the data, then the weights, then the shuffles: equal seeds, equal numbers."),
    N_("a straight line: its weight is the slope, its bias the intercept"),
    N_("A network has no slope of its own: this is the line that fits its predictions best."),
    N_("standard deviation, in units of y"),
    N_("in which the learning rate rises to it"),
    N_("who moves the learning rate ends the warm-up"),
    N_("over all replicas"),
    N_("epochs"),
    N_("from these epochs on: somebody moved it while the run trained"),
    N_("All starts on the first GPU: DataParallel takes the batch there, and brings the outputs back."),
    N_("Each step cuts the batch over the GPUs, copies the model to each, and gathers the outputs."),
    N_("On the model's own parameters: the replicas are copies that live for one step."),
    N_("each replica's gradient is added up on the first GPU"),
    N_("of the model as it was before this update"),
    N_("over all data, before the updates: so epochs can be compared"),
    N_("NCCL adds gradients up between GPUs, one a rank. With fewer GPUs, Gloo does it on CPU cores."),
    N_("Every rank draws the same from the same seed, so that nothing has to be sent to it."),
    N_("MiB of gradient that are exchanged at once"),
    N_("parts of a shard, with one update for all of them"),
    N_("the backward of the last part exchanges for all of them"),
    N_("meanwhile DDP averages the gradients, so that all ranks have the same"),
    N_("and all take the same step"),
)


class ScriptName(StrEnum):
    """The scripts that there are."""

    DATA_PARALLEL = "data_parallel"
    DDP = "ddp"

    @property
    def file_name(self) -> str:
        """What the file is called that the command starts."""
        return f"{self}.py"


def script_of(engine: EngineName) -> ScriptName:
    """The script that trains as an engine does."""
    return ScriptName.DDP if engine is EngineName.DDP else ScriptName.DATA_PARALLEL


def command(name: ScriptName, config: RunConfig) -> str:
    """How to start a script, in the folder where it is."""
    gpus = "" if config.devices is None else f"CUDA_VISIBLE_DEVICES={','.join(map(str, config.devices))} "
    if name is ScriptName.DATA_PARALLEL:
        return f"{gpus}python {name.file_name}"
    # The machine's own name may mean nothing to itself: without an address, torchrun looks for it for minutes.
    start = "torchrun --standalone --local-addr 127.0.0.1"
    return f"{gpus}{start} --nproc-per-node {config.replicas} {name.file_name}"


@lru_cache(maxsize=64)
def script(
    name: ScriptName,
    config: RunConfig,
    language: Language = ENGLISH,
    changes: tuple[LearningRateChanged, ...] = (),
) -> str:
    """The source of a script that trains as a run with this config does: the losses are the same.

    `changes` are the moves of the run's learning rate, which the script makes at the same epochs.
    """
    template = (FOLDER / f"{name.file_name}.txt").read_text(encoding="utf-8")
    moved = moves(config, changes)
    batches = "all" if config.global_batch_size is None else "batches"
    cut = "whole" if config.accumulation_steps == 1 else "parts"
    sections = (
        *(batches, cut, f"{batches} {cut}"),
        "unbucketed" if config.bucket_cap_mb is None else "bucketed",
        "own" if config.data else "drawn",
        "moved" if moved else "",
        "warming up" if config.warmup_epochs else "",
        "moved while warming up" if moved and moved[0].epoch <= config.warmup_epochs else "",
    )
    lines = map(language.text, _lines_for(sections, template))
    source = Template("\n".join(lines)).substitute(
        command=command(name, config.model_copy(update={"devices": None})),
        settings="\n".join((*_settings(config), *_moved_rates(moved))),
        data=_data(config),
        model=MLP if config.hidden_depth else LINE,
        optimizer="\n".join(_optimizer(config)),
        result=MLP_RESULT if config.hidden_depth else LINE_RESULT,
        true_slope=" (true: 3)" if config.data is None else "",
        true_intercept=" (true: 0)" if config.data is None else "",
    )
    return COMMENT.sub(lambda comment: language.text(comment[0]), source)


def _data(config: RunConfig) -> str:
    if config.data is None:
        return DATA
    return OWN_DATA + (STANDARDISED if config.data.is_standardised else "") + OWN_END


def _optimizer(config: RunConfig) -> Iterator[str]:
    yield f"optimizer = {OPTIMIZERS[config.optimizer]}"
    if config.warmup_epochs:
        yield "scheduler = optim.lr_scheduler.LinearLR("
        yield f"    optimizer, start_factor={WARMUP_FACTOR}, total_iters=WARMUP_EPOCHS"
        yield ")"


def _settings(config: RunConfig) -> Iterator[str]:
    yield f"SAMPLES = {config.samples}"
    if config.data is None:
        yield f"NOISE = {config.noise!r}  # standard deviation, in units of y"
    else:
        yield f"DATA_FILE = {config.data.name!r}"
    yield f"SEED = {config.seed}"
    yield f"EPOCHS = {config.epochs}"
    yield f"LEARNING_RATE = {config.learning_rate!r}"
    if config.warmup_epochs:
        yield f"WARMUP_EPOCHS = {config.warmup_epochs}  # in which the learning rate rises to it"
    if config.global_batch_size is not None:
        yield f"GLOBAL_BATCH_SIZE = {config.global_batch_size}  # over all replicas"
    if config.hidden_depth:
        yield f"HIDDEN_WIDTH = {config.hidden_width}"
        yield f"HIDDEN_LAYERS = {config.hidden_depth}"
    yield f"REPLICAS = {config.replicas}"
    if config.bucket_cap_mb is not None:
        yield f"BUCKET_CAP_MB = {config.bucket_cap_mb!r}  # MiB of gradient that are exchanged at once"
    if config.accumulation_steps > 1:
        yield f"MICRO_BATCHES = {config.accumulation_steps}  # parts of a shard, with one update for all of them"
    yield f"REPORT_EVERY = {max(1, config.epochs // NUM_REPORTS)}  # epochs"


def _moved_rates(moved: tuple[LearningRateChanged, ...]) -> Iterator[str]:
    if moved:
        yield "LEARNING_RATES = {  # from these epochs on: somebody moved it while the run trained"
        yield from (f"    {change.epoch}: {change.learning_rate!r}," for change in moved)
        yield "}"


def _lines_for(sections: tuple[str, ...], template: str) -> Iterator[str]:
    """The lines of a template without those that are for other sections."""
    wanted = True
    for line in template.split("\n"):
        if line.startswith(SECTION):
            wanted = line.removeprefix(SECTION) in (*sections, "end")
        elif wanted:
            yield line
