"""What `make figures` writes between the marks of the guide: measured sentences, tables, figures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dpdash.core.config import EngineName
from dpdash.core.translations import Language
from tests.guide import measure
from tests.guide.draw import Bar, Series, bar_chart, line_chart
from tests.guide.measure import Curve, Gradients, Phases, Rule, Speed
from tests.guide.words import Words

IMAGES: Final = "images"
CURVE_POINTS: Final = 120
BLOCK: Final = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """What stands between two marks, and the figures in it by the names of their files."""

    text: str
    figures: dict[str, str]


class Blocks:
    """The blocks of the guide in one language, from numbers that are the same in all."""

    def __init__(self, language: Language, words: Words, machine: dict[str, str]) -> None:
        self._write, self._setting, self._words, self._machine = language.number, language.setting, words, machine

    @property
    def _cpu(self) -> str:
        return self._machine["cpu"].replace("cores", self._words.cores)

    def gradients(self, found: Gradients) -> Block:
        w, write = self._words, self._write
        shards = [w.shard.format(number=number) for number in range(len(found.sizes))]
        rows = zip(shards, found.sizes, found.weights, found.shards, found.contributions, strict=True)
        table = _table(
            ("", w.samples, w.weight, w.gradient, w.contribution),
            [
                *((name, write(size), *map(write, numbers)) for name, size, *numbers in rows),
                (w.sum, write(sum(found.sizes)), write(sum(found.weights)), "", write(sum(found.contributions))),
            ],
        )
        sentence = w.gradients_text.format(
            step=write(found.step, 6),
            full=write(found.full, 6),
            residual=write(abs(found.step - found.full), 2),
            mean=write(found.plain_mean, 4),
            off=write(100 * abs(found.plain_mean / found.full - 1), 2),
        )
        bars = [
            *(Bar(name, value) for name, value in zip(shards, found.contributions, strict=True)),
            Bar(w.sum, found.step, 1),
            Bar(w.full_batch, found.full, 2),
            Bar(w.plain_mean, found.plain_mean, 4),
        ]
        title = w.gradients_title.format(samples=sum(found.sizes), replicas=len(found.sizes))
        return self._block("gradients", w.gradients_shown, bar_chart(title, bars, write), table, sentence)

    def curves(self, found: Sequence[Curve]) -> Block:
        w = self._words
        series = [
            Series(self._on(curve.engine, curve.replicas), *_thinned(curve.losses.tolist())) for curve in found
        ]
        figure = line_chart(w.curves_title, (w.epoch, w.loss), series, self._setting, log_y=True)
        sentence = w.curves_text.format(
            epochs=len(found[0].losses), difference=self._write(measure.farthest(list(found)), 2)
        )
        return self._block("curves", w.curves_shown, figure, sentence)

    def speeds(self, found: Sequence[Speed]) -> Block:
        w, write = self._words, self._write
        most = max(len(speed.speedups) for speed in found)
        numbers = range(1, most + 1)
        series = [
            *(Series(self._speed_name(speed), numbers[: len(speed.speedups)], speed.speedups) for speed in found),
            Series(w.ideal, numbers, numbers, is_reference=True),
        ]
        figure = line_chart(w.speed_title, (w.replicas_axis, w.speed_axis), series, self._setting)
        table = _table(
            (w.model, *(w.step.format(replicas=number) for number in numbers)),
            [
                (
                    self._speed_name(speed),
                    *(f"{write(1000 * seconds)} ms" for seconds in speed.step_seconds),
                    *[""] * (most - len(speed.step_seconds)),
                )
                for speed in found
            ],
        )
        return self._block("speed", w.speed_shown, figure, table, w.speed_text.format(cpu=self._cpu))

    def rule(self, found: Rule) -> Block:
        w = self._words
        series = [
            Series(
                w.rule_curve.format(
                    batch=self._setting(config.global_batch_size or config.samples),
                    rate=self._setting(config.learning_rate),
                ),
                *_thinned(losses.tolist()),
            )
            for config, losses in zip(found.configs, found.losses, strict=True)
        ]
        figure = line_chart(w.rule_title, (w.epoch, w.loss), series, self._setting, log_y=True)
        first, second, third = (self._write(float(losses[-1])) for losses in found.losses)
        small = found.configs[0]
        sentence = w.rule_text.format(
            small=small.global_batch_size,
            rate=self._setting(small.learning_rate),
            epochs=small.epochs,
            times=measure.TIMES,
            first=first,
            second=second,
            third=third,
        )
        return self._block("rule", w.rule_shown, figure, sentence)

    def phases(self, found: Sequence[Phases]) -> Block:
        """Empty where nothing was traced."""
        if not found:
            return Block("", {})
        w, config = self._words, measure.TRACED
        bars = [
            Bar(f"{self._short(steps.engine)}: {phase}", 1000 * seconds, kind)
            for kind, steps in enumerate(found)
            for phase, seconds in steps.seconds.items()
        ]
        sentence = w.phases_text.format(
            depth=config.hidden_depth,
            width=config.hidden_width,
            samples=self._setting(config.samples),
            replicas=config.replicas,
            traces=measure.NUM_TRACES,
            cpu=self._cpu,
        )
        return self._block("phases", w.phases_shown, bar_chart(w.phases_title, bars, self._write), sentence)

    def machine(self) -> Block:
        return Block(self._words.measured_on.format(**self._machine | {"cpu": self._cpu}), {})

    def _block(self, name: str, shown: str, figure: str, *texts: str) -> Block:
        file = f"parallelism-{name}{self._words.suffix}.svg"
        return Block("\n\n".join([*texts, f"![{shown}]({IMAGES}/{file})"]), {file: figure})

    def _on(self, engine: EngineName, replicas: int) -> str:
        if engine is EngineName.SINGLE:
            return self._words.one_device
        return self._words.replicas.format(engine=self._words.engines[engine], replicas=replicas)

    def _speed_name(self, speed: Speed) -> str:
        heavy = measure.HEAVY
        network = self._words.network.format(depth=heavy.hidden_depth, width=heavy.hidden_width)
        return f"{self._words.engines[speed.engine]}, {network if speed.is_heavy else self._words.line}"

    def _short(self, engine: EngineName) -> str:
        return "DDP" if engine is EngineName.DDP else "DP"


def filled(document: str, blocks: dict[str, Block]) -> str:
    """A document with each of its blocks written anew."""
    assert {name for _, name, _ in BLOCK.findall(document)} == set(blocks)

    def written(match: re.Match[str]) -> str:
        text = blocks[match[2]].text
        return f"{match[1]}{text}\n{match[3]}" if text else f"{match[1]}{match[3]}"

    return BLOCK.sub(written, document)


def _thinned(losses: list[float]) -> tuple[list[float], list[float]]:
    """Epochs and losses, evenly spread where there are many, the last among them."""
    stride = max(1, len(losses) // CURVE_POINTS)
    epochs = sorted({*range(0, len(losses), stride), len(losses) - 1})
    return [float(epoch + 1) for epoch in epochs], [losses[epoch] for epoch in epochs]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
