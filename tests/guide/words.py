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
    milliseconds: str
    one_core: str
    times: str
    steps_title: str
    steps_text: str
    steps_shown: str
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
    milliseconds="milliseconds",
    one_core="one core",
    times="times as fast as one core",
    steps_title="What a step on {replicas} replicas is made of, ms",
    steps_text=(
        "A step on {replicas} replicas and its standard errors, measured on {cpu}, in {turns} turns of "
        "{seconds} s each: a cause is what a step with it takes longer than the same step without it, so that all "
        "of them add up to the measured step. A replica has one thread here, as one core has. The figure is that "
        "of the network."
    ),
    steps_shown="Bars that each begin where the one before ended: the parts of a step, up to the measured step",
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
    milliseconds="milissegundos",
    one_core="um núcleo",
    times="vezes tão rápido quanto um núcleo",
    steps_title="De que é feito um passo em {replicas} réplicas, ms",
    steps_text=(
        "Um passo em {replicas} réplicas e seus erros padrão, medido em {cpu}, em {turns} rodadas de {seconds} s "
        "cada: uma causa é o que um passo com ela leva a mais que o mesmo passo sem ela, de modo que todas somam "
        "o passo medido. Cada réplica tem aqui uma thread, como um núcleo. A figura é a da rede."
    ),
    steps_shown="Barras que começam onde a anterior terminou: as partes de um passo, até o passo medido",
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
