"""What the figures say, in each language that the guide is written in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dpdash.core.config import EngineName
from dpdash.core.translations import ENGLISH


@dataclass(frozen=True)
class Words:
    """The texts around the numbers of one language."""

    suffix: str
    """Between a file's name and its ending."""
    one_device: str
    replicas: str
    engines: Mapping[EngineName, str]
    epoch: str
    loss: str
    shard: str
    samples: str
    weight: str
    gradient: str
    contribution: str
    sum: str
    full_batch: str
    plain_mean: str
    gradients_title: str
    gradients_text: str
    gradients_shown: str
    curves_title: str
    curves_text: str
    curves_shown: str
    speed_title: str
    speed_axis: str
    speed_text: str
    speed_shown: str
    replicas_axis: str
    ideal: str
    model: str
    step: str
    line: str
    network: str
    rule_title: str
    rule_curve: str
    rule_text: str
    rule_shown: str
    phases_title: str
    phases_text: str
    phases_shown: str
    measured_on: str
    cores: str


EN: Final = Words(
    suffix="",
    one_device="one device",
    replicas="{engine}, {replicas} replicas",
    engines={
        EngineName.DATA_PARALLEL: "DataParallel",
        EngineName.CPU_REPLICAS: "DataParallel, emulated",
        EngineName.DDP: "DDP",
    },
    epoch="epoch",
    loss="loss",
    shard="replica {number}",
    samples="samples",
    weight="weight",
    gradient="gradient of its shard",
    contribution="weight × gradient",
    sum="sum",
    full_batch="full batch",
    plain_mean="plain mean",
    gradients_title="Gradient of the slope, {samples} samples on {replicas} replicas",
    gradients_text=(
        "The contributions add up to {step}; the full batch on one device, in float64, has {full} (a difference "
        "of {residual}). The plain mean of the shards' gradients would be {mean}, which is {off} % off, because "
        "the shards are not of one size."
    ),
    gradients_shown=(
        "Bars: what each replica adds to the gradient of the slope, their sum, and the full batch's gradient"
    ),
    curves_title="Loss of the default run",
    curves_text=(
        "The default run ({epochs} epochs) on one device and on two replicas: over all epochs the losses "
        "differ by at most {difference} of their value, the rounding of float32."
    ),
    curves_shown="Curves of the loss on one device and on replicas, which lie on each other",
    speed_title="Speed beside one device",
    speed_axis="times as fast",
    speed_text="Median time of a step, measured on {cpu}; one device uses all of its cores by itself.",
    speed_shown="Lines: how many times as fast a step is on more replicas, beside the ideal",
    replicas_axis="replicas",
    ideal="ideal",
    model="model",
    step="step on {replicas}",
    line="straight line",
    network="network of {depth} layers of {width}",
    rule_title="The linear scaling rule, tried",
    rule_curve="batch {batch}, rate {rate}",
    rule_text=(
        "With SGD, batches of {small} and a learning rate of {rate}, the loss after {epochs} epochs is "
        "{first}. With batches {times} times as large it is {second}; with the learning rate {times} times as"
        " high too, {third}."
    ),
    rule_shown="Curves of the loss with small batches, large ones, and large ones at a higher learning rate",
    phases_title="Where a step's time goes, ms",
    phases_text=(
        "A network of {depth} layers of {width}, {samples} samples, {replicas} replicas, median of {traces} "
        "steps on {cpu}."
    ),
    phases_shown="Bars: milliseconds of each phase of a step",
    measured_on="Measured on {cpu}, with torch {torch}.",
    cores="cores",
)

PT_BR: Final = Words(
    suffix=".pt-BR",
    one_device="um dispositivo",
    replicas="{engine}, {replicas} réplicas",
    engines={
        EngineName.DATA_PARALLEL: "DataParallel",
        EngineName.CPU_REPLICAS: "DataParallel, emulado",
        EngineName.DDP: "DDP",
    },
    epoch="época",
    loss="perda",
    shard="réplica {number}",
    samples="amostras",
    weight="peso",
    gradient="gradiente da sua fatia",
    contribution="peso × gradiente",
    sum="soma",
    full_batch="lote inteiro",
    plain_mean="média simples",
    gradients_title="Gradiente da inclinação, {samples} amostras em {replicas} réplicas",
    gradients_text=(
        "As contribuições somam {step}; o lote inteiro em um dispositivo, em float64, tem {full} (uma "
        "diferença de {residual}). A média simples dos gradientes das fatias seria {mean}, um erro de {off} %, "
        "porque as fatias não têm o mesmo tamanho."
    ),
    gradients_shown=(
        "Barras: o que cada réplica soma ao gradiente da inclinação, a soma, e o gradiente do lote inteiro"
    ),
    curves_title="Perda do treino padrão",
    curves_text=(
        "O treino padrão ({epochs} épocas) em um dispositivo e em duas réplicas: em todas as épocas as perdas"
        " diferem em no máximo {difference} do seu valor, o arredondamento do float32."
    ),
    curves_shown="Curvas da perda em um dispositivo e em réplicas, que coincidem",
    speed_title="Velocidade em relação a um dispositivo",
    speed_axis="vezes mais rápido",
    speed_text="Tempo mediano de um passo, medido em {cpu}; um dispositivo já usa todos os seus núcleos.",
    speed_shown="Linhas: quantas vezes um passo é mais rápido com mais réplicas, ao lado do ideal",
    replicas_axis="réplicas",
    ideal="ideal",
    model="modelo",
    step="passo em {replicas}",
    line="reta",
    network="rede de {depth} camadas de {width}",
    rule_title="A regra de escala linear, testada",
    rule_curve="lote {batch}, taxa {rate}",
    rule_text=(
        "Com SGD, lotes de {small} e taxa de aprendizado de {rate}, a perda depois de {epochs} épocas é "
        "{first}. Com lotes {times} vezes maiores ela é {second}; com a taxa também {times} vezes maior, "
        "{third}."
    ),
    rule_shown="Curvas da perda com lotes pequenos, com grandes, e com grandes e uma taxa de aprendizado maior",
    phases_title="Para onde vai o tempo de um passo, ms",
    phases_text=(
        "Uma rede de {depth} camadas de {width}, {samples} amostras, {replicas} réplicas, mediana de {traces}"
        " passos em {cpu}."
    ),
    phases_shown="Barras: milissegundos de cada fase de um passo",
    measured_on="Medido em {cpu}, com torch {torch}.",
    cores="núcleos",
)

WORDS: Final = {ENGLISH: EN, "pt_BR": PT_BR}
