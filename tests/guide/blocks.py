"""What `make figures` writes between the marks of the guide: measured sentences, tables, figures."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dpdash.core.config import EngineName
from dpdash.core.scaling.curve import Spread
from dpdash.core.scaling.waterfall import Duration, Part, Waterfall
from dpdash.core.translations import Language
from dpdash.findings.scaling.shown import shown_parts
from tests.guide import measure
from tests.guide.draw import Bar, Series, bar_chart, line_chart
from tests.guide.measure import Curve, Gradients, Phases, Rule, Steps
from tests.guide.words import Words

IMAGES: Final = "images"
CURVE_POINTS: Final = 120
STEP_COLOR: Final = 3
"""Of the bar that the others add up to."""
BLOCK: Final = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """What stands between two marks, and the figures in it by the names of their files."""

    text: str
    figures: dict[str, str]


class Blocks:
    """The blocks of the guide in one language, from numbers that are the same in all."""

    def __init__(self, language: Language, words: Words, machine: dict[str, str]) -> None:
        self._language, self._write, self._setting = language, language.number, language.setting
        self._words, self._machine = words, machine

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

    def steps(self, found: Sequence[Steps]) -> Block:
        """What steps are made of, in a table of all models and in a figure of the network."""
        w = self._words
        columns = [(model.is_heavy, one) for model in found for one in model.waterfalls]
        names = [self._step_name(is_heavy, one) for is_heavy, one in columns]
        shown = [one for _is_heavy, one in columns]
        table = _table(
            (w.milliseconds, *names),
            [
                *(
                    (self._language.name(part), *(self._part(one, part) for one in shown))
                    for part in Part
                    if any(part in one.parts for one in shown)
                ),
                (self._measured_step, *(self._duration(one, one.step) for one in shown)),
                (w.one_core, *(self._duration(one, one.one_device) for one in shown)),
                (w.times, *(self._ratio(one.speed_up) for one in shown)),
            ],
        )
        bars = [
            bar
            for kind, one in enumerate(one for is_heavy, one in columns if is_heavy)
            for bar in self._bars(one, kind)
        ]
        figure = bar_chart(w.steps_title.format(replicas=measure.NUM_REPLICAS), bars, self._write)
        sentence = w.steps_text.format(
            replicas=measure.NUM_REPLICAS,
            cpu=self._cpu,
            turns=measure.NUM_TURNS,
            seconds=self._write(measure.TURN_SECONDS),
        )
        return self._block("speed", w.steps_shown, figure, table, sentence)

    @property
    def _measured_step(self) -> str:
        return self._language.text("measured step")

    def _step_name(self, is_heavy: bool, one: Waterfall) -> str:
        heavy = measure.HEAVY
        network = self._words.network.format(depth=heavy.hidden_depth, width=heavy.hidden_width)
        name = f"{self._words.engines[one.engine]}, {network if is_heavy else self._words.line}"
        return f"{name} ({self._language.text('too noisy to tell')})" if one.is_noisy else name

    def _part(self, one: Waterfall, part: Part) -> str:
        if part not in one.parts:
            return ""
        return self._with_error(shown_parts(one).parts[part], one, one.parts[part])

    def _duration(self, one: Waterfall, duration: Duration) -> str:
        return self._with_error(shown_parts(one).written(duration), one, duration)

    def _with_error(self, value: Decimal, one: Waterfall, duration: Duration) -> str:
        error = shown_parts(one).written(Duration(duration.error, 0))
        return f"{self._language.decimal(value)} ± {self._language.decimal(error)}"

    def _ratio(self, speed_up: Spread) -> str:
        return f"{self._write(speed_up.median)} ± {self._write(speed_up.standard_error, 2)}"

    def _bars(self, one: Waterfall, kind: int) -> Iterator[Bar]:
        shown, begin = shown_parts(one), 0.0
        for part in one.parts:
            value = float(shown.parts[part])
            yield Bar(f"{self._short(one.engine)}: {self._language.name(part)}", value, kind, begin)
            begin += value
        yield Bar(f"{self._short(one.engine)}: {self._measured_step}", float(shown.step), STEP_COLOR)

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
            traces=found[0].num_steps,
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
