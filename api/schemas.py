"""Bodies of the answers: Portuguese fields with descriptions and examples.

Rows of long tables are typed dictionaries, which cost a fifth of a Pydantic model.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from core.forecast_schema import KIND_BASELINE, KIND_MODEL
from core.reading.status import State
from core.settings import Source
from core.wording import sentences

__all__ = [
    "Alive",
    "MetricsAnswer",
    "ModelStatus",
    "ProcessStatus",
    "ScoreBlock",
    "ScoreValues",
    "Status",
]

SOURCES: Final = tuple(source.value for source in Source if source is not Source.AUTO)
"""Values of `fonte`."""


_PROBLEMS: Final = [code.removeprefix("problem.") for code in sentences("pt") if code.startswith("problem.")]


def one_of(*values: str) -> dict[str, JsonValue]:
    """For the description of a text: the values that it can have."""
    return {"enum": list(values)}


def without_required(schema: dict[str, Any]) -> None:
    """For the description of a row of which fields can be chosen: none is certain to be there."""
    schema.pop("required", None)


Timestamp = Annotated[
    str,
    Field(
        description="ISO 8601 com milissegundos e deslocamento (UTC)",
        examples=["2026-11-22T14:03:30.000+00:00"],
        json_schema_extra={"format": "date-time"},
    ),
]
Symbol = Annotated[str, Field(description="Símbolo em minúsculas", examples=["btc"])]
CoinId = Annotated[str, Field(description="Id da moeda no CoinGecko", examples=["bitcoin"])]
Money = Annotated[float, Field(description="Preço em `moeda_cotacao`", examples=[67187.33])]
Currency = Annotated[str, Field(description="Moeda dos preços", examples=["usd"])]
SourceName = Annotated[
    str,
    Field(
        description="Origem dos preços: `coingecko` (reais), `demo` (simulados) ou `replay` (gravação)",
        examples=["demo"],
        json_schema_extra=one_of(*SOURCES),
    ),
]
Attribution = Annotated[
    str,
    Field(
        description="A quem creditar os preços, ou que não são reais",
        examples=["Mercado simulado: nenhum preço é real"],
    ),
]
ForecastId = Annotated[
    str,
    Field(
        description="O mesmo em toda parte: fonte, moeda, origem em milissegundos e horizonte. Chave contra repetições",
        examples=["demo.bitcoin.1795356192345.60"],
    ),
]
Seconds = Annotated[float, Field(description="Segundos", examples=[12.4])]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class Alive(Body):
    """O processo da API responde."""

    model_config = ConfigDict(title="Saude")

    status: str = Field(examples=["ok"], json_schema_extra=one_of("ok"))
    versao: str = Field(examples=["0.1.0"])


class ScoreValues(Body):
    """O que um conjunto de previsões realizadas diz; razões abaixo de 1 são melhores do que "o preço não muda"."""

    model_config = ConfigDict(title="Pontuacao")

    previsoes: int = Field(examples=[2880])
    horas: int = Field(examples=[24])
    inicio: Timestamp = Field(
        description="Primeira origem, se o registro começa nessa hora; senão, o começo da primeira hora com origens"
    )
    fim: Timestamp = Field(description="Fim da última hora com origens; nunca depois da publicação das pontuações")
    pinball_relativo: float | None = Field(
        description='Perda de quantis (pinball) dividida pela de "o preço não muda"', examples=[0.97]
    )
    ganho: float | None = Field(description="1 − `pinball_relativo`", examples=[0.03])
    cobertura: dict[str, float] = Field(
        description="Intervalo em % → parte dos preços reais dentro dele", examples=[{"50": 0.51, "80": 0.79}]
    )
    largura_80_percentual: float | None = Field(description="Do intervalo de 80 %, em % do preço", examples=[0.9])
    winkler_relativo: float | None = Field(examples=[0.96])
    erro_medio_percentual: float | None = Field(
        description="Média de |previsão − preço real| ÷ preço na origem, em %: a base de `erro_percentual`",
        examples=[0.31],
    )
    erro_relativo: float | None = Field(
        description='Erro absoluto dividido pelo de "o preço não muda"', examples=[0.998]
    )
    acerto_de_direcao: float | None = Field(examples=[0.52])
    acerto_minimo: float | None = Field(description="Intervalo de 95 % do acerto, de baixo", examples=[0.49])
    acerto_maximo: float | None = Field(description="Intervalo de 95 % do acerto, de cima", examples=[0.55])
    brier: float | None = Field(description="Da probabilidade de alta; 0,25 é cara ou coroa", examples=[0.249])
    valor_p: float | None = Field(description='De o acaso parecer tão melhor que "o preço não muda"', examples=[0.04])
    parte_do_modelo: float = Field(description="Parte das previsões que o modelo fez", examples=[0.8])


class ScoreBlock(Body):
    """Uma espécie de evidência: geral, por horizonte (minutos), por moeda (id) e por dia (UTC)."""

    model_config = ConfigDict(title="Bloco de metricas")

    geral: ScoreValues
    por_horizonte: dict[str, ScoreValues]
    por_moeda: dict[str, ScoreValues]
    por_dia: dict[str, ScoreValues]
    moedas_a_parte: list[str] = Field(
        description="Moedas de preço fixo, que aparecem só em `por_moeda`", examples=[["tether"]]
    )


class MetricsAnswer(Body):
    """Acerto das previsões: ao vivo (registro) e no backtest da partida, nunca misturados."""

    model_config = ConfigDict(title="Metricas")

    moeda: Symbol | None = Field(description="Nulo: todas as moedas")
    id: CoinId | None = Field(description="Nulo: todas as moedas")
    moeda_cotacao: Currency
    fonte: SourceName
    atribuicao: Attribution
    ao_vivo: ScoreBlock | None
    backtest: ScoreBlock | None


class ProcessStatus(Body):
    """Um processo, como o mostram seu arquivo de saúde e o sistema operacional."""

    model_config = ConfigDict(title="Processo")

    vivo: bool
    estado: str | None = Field(examples=["coletando"])
    mensagem: str = Field(examples=["funcionando"])
    iniciado_em: Timestamp | None
    ultimo_sinal_em: Timestamp | None
    idade_sinal_segundos: Seconds | None
    atualizado_em: Timestamp | None = Field(
        description="Coletor: preço mais novo; pipeline: previsão mais nova; painel: último sinal"
    )
    idade_segundos: Seconds | None = Field(description="Desde `atualizado_em`")
    progresso: dict[str, Any] = Field(
        description="O que o processo diz de si", examples=[{"backfill_done": 3, "backfill_total": 10}]
    )
    contadores: dict[str, int] = Field(examples=[{"errors": 0}])
    ultimo_erro: str | None
    ultimo_erro_em: Timestamp | None


class ModelStatus(Body):
    """O modelo das previsões publicadas."""

    model_config = ConfigDict(title="Estado do modelo")

    tipo: Annotated[str, Field(json_schema_extra=one_of(KIND_MODEL, KIND_BASELINE, "misto"))] | None = Field(
        description="`model`, `baseline`, ou `misto` onde cada moeda tem o melhor para ela", examples=["misto"]
    )
    versao: str | None = Field(examples=["20261122T140325123"])
    treinado_em: Timestamp | None
    idade_segundos: Seconds | None = Field(description="Desde `treinado_em`")
    moedas: dict[str, int] = Field(description="Quantas moedas por tipo", examples=[{"model": 8, "baseline": 2}])
    mensagem: str = Field(examples=["10 moedas previstas"])
    ultimo_erro: str | None


class Status(Body):
    """O sistema inteiro em um olhar."""

    model_config = ConfigDict(title="Estado do sistema")

    status: str = Field(
        description="`ok`, `degradado` ou `aguardando_dados`", examples=["ok"], json_schema_extra=one_of(*State)
    )
    horario_atual: Timestamp
    versao: str = Field(examples=["0.1.0"])
    fonte: SourceName | None = Field(description="Nulo enquanto a fonte não foi decidida")
    moeda_cotacao: str | None = Field(examples=["usd"])
    dados_reais: bool = Field(description="Se os preços são os do CoinGecko, de agora")
    aviso: str | None = Field(description="O que ninguém deve deixar de ler", examples=["Mercado simulado"])
    problemas: list[str] = Field(description="O pior primeiro", examples=[["o processo coletor está parado"]])
    codigos_dos_problemas: list[Annotated[str, Field(json_schema_extra=one_of(*_PROBLEMS))]] = Field(
        description="Os mesmos, na mesma ordem, para programas", examples=[["collector_stopped"]]
    )
    termina_em: Timestamp | None = Field(description="Quando acaba a gravação repetida")
    coletor: ProcessStatus
    pipeline: ProcessStatus
    modelo: ModelStatus
    dashboard: ProcessStatus
