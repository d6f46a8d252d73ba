"""Bodies of the answers about the next hour: forecast, chance of a level, scenarios of a portfolio."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas import (
    Body,
    CoinId,
    Currency,
    ForecastId,
    Money,
    SourceName,
    Symbol,
    Timestamp,
    one_of,
    without_required,
)
from core.forecast_schema import KIND_BASELINE, KIND_MODEL

__all__ = [
    "ChangeRange",
    "ChosenForecast",
    "Forecast",
    "Interval",
    "LevelAnswer",
    "ModelInfo",
    "Position",
    "RiskAnswer",
    "TrajectoryStep",
    "Trust",
    "UnusualHour",
]


RegimeName = Literal["calmo", "normal", "agitado"]
UntestedReason = Literal["sem_notas", "poucas"]


class Interval(Body):
    """Faixa em que o preço deve cair."""

    model_config = ConfigDict(title="Intervalo")

    minimo: Money
    maximo: Money


class TrajectoryStep(Body):
    """A previsão para um dos doze horizontes."""

    model_config = ConfigDict(title="Passo da trajetoria")

    minutos: int = Field(examples=[5])
    horario: Timestamp
    previsao: Money
    minimo_50: Money
    maximo_50: Money
    minimo_80: Money
    maximo_80: Money
    minimo_95: Money
    maximo_95: Money


class ModelInfo(Body):
    """Quem fez a previsão."""

    model_config = ConfigDict(title="Modelo")

    tipo: str = Field(
        description="`model` (redes pré-treinadas, ridge e floresta) ou `baseline` (o preço não muda)",
        examples=["model"],
        json_schema_extra=one_of(KIND_MODEL, KIND_BASELINE),
    )
    versao: str = Field(examples=["20261122T140325123"])
    treinado_em: Timestamp | None


class UnusualHour(Body):
    """A última hora, medida pela previsão que tinha sido feita para ela."""

    model_config = ConfigDict(title="Ultima hora")

    variacao_percentual: float = Field(description="Do preço na última hora, em %", examples=[-0.61])
    percentil: float = Field(description="Onde o preço caiu na previsão: 0 no fundo, 100 no topo", examples=[6.2])
    probabilidade: float = Field(
        description="Que a previsão dava a um preço tão fora do centro, para qualquer lado", examples=[0.124]
    )


class Trust(Body):
    """O que as notas dos últimos 7 dias (UTC, até o da nota mais nova) dizem das previsões desta moeda e horizonte."""

    model_config = ConfigDict(title="Confianca")

    cobertura_80: float | None = Field(
        description="Parte dos preços que caíram no intervalo de 80 %; o certo é 0,8", examples=[0.79]
    )
    ganho: float | None = Field(
        description='1 − perda relativa à de "o preço não muda"; acima de 0 é melhor', examples=[0.03]
    )
    previsoes: int = Field(description="Previsões conferidas", examples=[2016])
    desde: Timestamp | None = Field(description="Primeiro dia que conta; nulo sem nenhuma nota")
    motivo: UntestedReason | None = Field(
        description="Por que `cobertura_80` e `ganho` são nulos: `sem_notas`, ou `poucas` (menos de 288, as de um dia)",
        examples=[None],
    )


class Forecast(Body):
    """A previsão mais nova de uma moeda para a próxima hora."""

    model_config = ConfigDict(title="Previsao")

    moeda: Symbol
    id: CoinId
    horario: Timestamp = Field(description="Origem: o horário do preço de que a previsão parte")
    horario_previsto: Timestamp = Field(description="Origem mais `horizonte`")
    horizonte: int = Field(description="Minutos; 60 sem o parâmetro `horizonte`", examples=[60])
    preco_atual: Money = Field(description="Preço na origem")
    previsao_proxima_hora: Money = Field(description="Preço esperado uma hora depois da origem", examples=[67190.02])
    previsao: Money = Field(description="Preço esperado em `horario_previsto`", examples=[67190.02])
    variacao_percentual: float = Field(description="De `previsao` contra o preço atual, em %", examples=[0.004])
    probabilidade_alta: float = Field(description="De o preço estar mais alto em `horario_previsto`", examples=[0.513])
    intervalos: dict[str, Interval] = Field(
        description="Intervalos centrais de 50, 80 e 95 % para `horario_previsto`",
        examples=[{"80": {"minimo": 66900.0, "maximo": 67480.0}}],
    )
    quantis: dict[str, float] | None = Field(
        description="Os quantis pedidos com `quantis`, como preços em `horario_previsto`; nulo sem o parâmetro",
        examples=[{"0.1": 66902.8, "0.9": 67478.1}],
    )
    movimento_esperado_percentual: float = Field(
        description="Tamanho esperado do movimento até `horario_previsto`, para cima ou para baixo, em % do preço",
        examples=[0.29],
    )
    faixa_80_percentual: float = Field(
        description="O intervalo de 80 % como ± % do preço: metade da largura", examples=[0.43]
    )
    regime: RegimeName | None = Field(
        description="Quanto movimento se espera: `calmo` (o quarto mais baixo das horas das últimas duas semanas desta "
        "moeda), `agitado` (o quarto mais alto) ou `normal`; nulo com menos de 8 horas de comparação",
        examples=["normal"],
    )
    regime_percentil: float | None = Field(
        description="Parte dessas horas em que se esperava menos movimento, em %", examples=[62.5]
    )
    hora_incomum: UnusualHour | None = Field(
        description="Quão incomum foi a última hora; nulo sem a previsão de uma hora antes"
    )
    trajetoria: list[TrajectoryStep] = Field(description="De 5 em 5 minutos até uma hora")
    modelo: ModelInfo
    confianca: Trust
    moeda_cotacao: Currency
    fonte: SourceName
    gerado_em: Timestamp
    valido_ate: Timestamp = Field(
        description="Até quando o preço da origem conta como atual: 7,5 minutos; depois disso não use a previsão"
    )
    proxima_em: Timestamp = Field(description="Quando se espera a próxima previsão")
    id_previsao: ForecastId


class ChosenForecast(Forecast):
    """Uma previsão com os campos pedidos em `campos`; sem o parâmetro, sem `trajetoria`."""

    model_config = ConfigDict(title="Previsao de uma lista", json_schema_extra=without_required)


class LevelAnswer(Body):
    """Probabilidades de um nível de preço."""

    model_config = ConfigDict(title="Probabilidade")

    moeda: Symbol
    id: CoinId
    horario: Timestamp = Field(description="Origem: o horário do preço de que a previsão parte")
    horario_previsto: Timestamp = Field(description="Origem mais `horizonte`")
    horizonte: int = Field(description="Minutos", examples=[60])
    preco_atual: Money = Field(description="Preço na origem")
    nivel: Money = Field(examples=[68000.0])
    probabilidade_acima: float = Field(description="De o preço terminar acima do nível", examples=[0.0016])
    probabilidade_abaixo: float = Field(description="De o preço não terminar acima do nível", examples=[0.9984])
    probabilidade_toque: float | None = Field(
        description="De o preço tocar o nível em algum momento até lá; nulo enquanto não se sabe", examples=[0.0048]
    )
    moeda_cotacao: Currency
    fonte: SourceName
    gerado_em: Timestamp


class Position(Body):
    """Uma moeda da carteira."""

    model_config = ConfigDict(title="Posicao")

    moeda: Symbol
    id: CoinId
    quantidade: float = Field(examples=[0.5])
    preco_atual: Money = Field(description="Preço na origem")
    valor: Money = Field(description="Em `moeda_cotacao`", examples=[33593.67])


class ChangeRange(Body):
    """Faixa em que a variação do valor deve cair."""

    model_config = ConfigDict(title="Faixa da variacao")

    minimo: float = Field(description="Em `moeda_cotacao`", examples=[-341.2])
    maximo: float = Field(description="Em `moeda_cotacao`", examples=[344.9])
    minimo_percentual: float = Field(description="Em % do valor", examples=[-0.78])
    maximo_percentual: float = Field(description="Em % do valor", examples=[0.79])


class RiskAnswer(Body):
    """O que uma carteira pode ganhar ou perder em uma hora."""

    model_config = ConfigDict(title="Risco")

    carteira: list[Position]
    horario: Timestamp = Field(description="A mais antiga das origens das previsões")
    horario_previsto: Timestamp = Field(description="Uma hora depois de `horario`")
    valor: float = Field(description="Da carteira agora, em `moeda_cotacao`", examples=[43531.02])
    cenarios: int = Field(description="Cenários conjuntos, todos igualmente prováveis", examples=[1344])
    faixas: dict[str, ChangeRange] = Field(
        description="Faixas centrais de 50, 80 e 95 % da variação do valor em uma hora",
        examples=[{"80": {"minimo": -341.2, "maximo": 344.9, "minimo_percentual": -0.78, "maximo_percentual": 0.79}}],
    )
    valor_em_risco_95: float = Field(
        description="Perda que não é ultrapassada em 95 % dos cenários, em `moeda_cotacao`", examples=[446.1]
    )
    valor_em_risco_95_percentual: float = Field(description="O mesmo, em % do valor", examples=[1.02])
    perda_esperada_95: float = Field(
        description="Perda média nos 5 % piores cenários (expected shortfall), em `moeda_cotacao`", examples=[590.4]
    )
    perda_esperada_95_percentual: float = Field(description="O mesmo, em % do valor", examples=[1.36])
    moeda_cotacao: Currency
    fonte: SourceName
    gerado_em: Timestamp
