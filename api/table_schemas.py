"""Rows of the lists of coins, logged forecasts and prices.

Rows are typed dictionaries, which cost a fifth of a Pydantic model.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic wants this one below Python 3.12

from api.schemas import (
    Attribution,
    CoinId,
    Currency,
    ForecastId,
    Money,
    SourceName,
    Symbol,
    Timestamp,
    without_required,
)

__all__ = ["CandleRow", "ChosenPriceRow", "CoinQuote", "LoggedForecastRow", "PriceRow"]

TableTime = (
    Timestamp
    | Annotated[int, Field(description="Com `tempo=unix`: milissegundos desde 1970", examples=[1795356210000])]
)


@with_config(ConfigDict(title="Moeda"))
class CoinQuote(TypedDict):
    """Uma moeda e seu preço mais novo."""

    moeda: Symbol
    id: CoinId
    nome: Annotated[str, Field(examples=["Bitcoin"])]
    preco_atual: Money | None
    variacao_24h: Annotated[float | None, Field(description="Em %, contra o preço de 24 horas antes", examples=[1.27])]
    atualizado_em: TableTime | None
    moeda_cotacao: Currency
    fonte: SourceName
    atribuicao: Attribution


@with_config(ConfigDict(title="Quem previu"))
class LoggedModel(TypedDict):
    """Quem fez a previsão."""

    tipo: Annotated[str, Field(description="Como em `/prever`", examples=["model"])]
    versao: Annotated[str, Field(examples=["20261122T140325123"])]


@with_config(ConfigDict(title="Previsao registrada"))
class LoggedForecastRow(TypedDict):
    """Uma previsão registrada e, assim que conhecido, o preço que de fato veio."""

    id_previsao: ForecastId
    horario: TableTime
    horario_previsto: TableTime
    horizonte: Annotated[int, Field(description="Minutos", examples=[60])]
    moeda: Symbol
    id: CoinId
    preco_atual: Money
    previsao: Annotated[float, Field(description="Preço esperado em `horario_previsto`", examples=[67190.02])]
    previsao_proxima_hora: Annotated[
        float | None, Field(description="`previsao` quando `horizonte` é 60, nulo nos outros", examples=[67190.02])
    ]
    minimo_80: Money
    maximo_80: Money
    quantis: Annotated[
        dict[str, float], Field(description="Os nove quantis, como preços", examples=[{"0.1": 66902.8, "0.9": 67478.1}])
    ]
    probabilidade_alta: Annotated[float, Field(examples=[0.513])]
    modelo: LoggedModel
    preco_real: Money | None
    erro_percentual: Annotated[
        float | None,
        Field(description="(previsão − preço real) ÷ preço na origem, em %; nulo até se conhecer", examples=[-0.12]),
    ]
    moeda_cotacao: Currency
    fonte: SourceName
    atribuicao: Attribution
    gerado_em: TableTime


@with_config(ConfigDict(title="Preco"))
class PriceRow(TypedDict):
    """Um preço guardado."""

    horario: TableTime
    moeda: Symbol
    id: CoinId
    preco: Money
    valor_de_mercado: Annotated[float | None, Field(examples=[1.3e12])]
    volume: Annotated[float | None, Field(description="Das últimas 24 horas", examples=[2.1e10])]
    coletado_em: TableTime
    moeda_cotacao: Currency
    fonte: SourceName
    atribuicao: Attribution


@with_config(ConfigDict(title="Preco de uma lista", json_schema_extra=without_required))
class ChosenPriceRow(PriceRow):
    """Um preço guardado com os campos pedidos em `campos`; sem o parâmetro, sem o que muda sem o preço mudar."""


@with_config(ConfigDict(title="Intervalo de precos"))
class CandleRow(TypedDict):
    """Os preços de um intervalo; intervalos sem preço não aparecem."""

    horario: Annotated[TableTime, Field(description="Começo do intervalo, incluído")]
    fim: Annotated[TableTime, Field(description="Fim do intervalo, não incluído")]
    moeda: Symbol
    id: CoinId
    abertura: Annotated[float, Field(description="O primeiro preço do intervalo", examples=[67101.2])]
    maximo: Annotated[float, Field(examples=[67240.0])]
    minimo: Annotated[float, Field(examples=[67060.5])]
    fechamento: Annotated[float, Field(description="O último preço do intervalo", examples=[67187.33])]
    precos: Annotated[int, Field(description="Quantos preços há no intervalo", examples=[10])]
    fechado: Annotated[bool, Field(description="Se já há um preço do fim do intervalo em diante")]
    moeda_cotacao: Currency
    fonte: SourceName
    atribuicao: Attribution
