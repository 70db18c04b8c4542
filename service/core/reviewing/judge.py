"""The `[judge]` and `[consistency]` tables of the policy file: who is asked, of whose text, how often, at what price."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from service.core.alerting.sink import SecretFile as AbsolutePath
from service.core.fields import Rate
from service.core.privacy import TenantName
from service.core.web_address import WebAddress, web_address

PICO = 1_000_000_000_000  # in which money is counted: whole numbers, so that sums are exact
LONGEST_S = 3_600  # of all calls of one review, one after the other
_PER_MILLION_TO_PICO = PICO // 1_000_000

ModelName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Price = Annotated[Decimal, Field(ge=0, le=100_000, max_digits=12, decimal_places=6, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=6, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Model(_Part):
    """A language model: at an OpenAI-compatible endpoint, or in a judge worker's own memory."""

    url: str | None = None  # of the endpoint, as `https://api.example.com/v1`
    model: ModelName | None = None  # as the endpoint calls it
    allow_private: bool = False  # whether its host may be in a private network, or this machine
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 30.0  # of one call, whatever happens
    attempts: Annotated[int, Field(strict=True, ge=1, le=10)] = 3  # of one call that fails in passing
    concurrency: Annotated[int, Field(strict=True, ge=1, le=256)] = 8  # calls at a time, of one judge worker
    max_output_tokens: Annotated[int, Field(strict=True, ge=16, le=32_768)] = 1_024
    input_price: Price | None = None  # of a million tokens; 0 if it costs nothing
    output_price: Price | None = None
    tenants: Annotated[tuple[TenantName, ...], Field(min_length=1)]  # whose text may be sent to it

    @property
    def address(self) -> WebAddress | None:
        """Where the endpoint is; None for a model in memory."""
        return None if self.url is None else web_address(self.url, allow_private=self.allow_private)

    @property
    def costs(self) -> bool:
        """Whether calls cost anything."""
        return bool(self.input_price or self.output_price)

    def cost_pico(self, input_tokens: int, output_tokens: int) -> int:
        """What so many tokens cost, in 1e-12 of the currency."""
        price = (self.input_price or Decimal(0)) * input_tokens + (self.output_price or Decimal(0)) * output_tokens
        return int((price * _PER_MILLION_TO_PICO).to_integral_value(rounding="ROUND_UP"))

    def _check_time(self, calls: int) -> None:
        if calls * self.attempts * self.timeout_s > LONGEST_S:
            raise ValueError(
                f"`timeout_s` x `attempts` x {calls} calls is over {LONGEST_S} s, for which a sample may be held: lower one"
            )

    def _check_endpoint(self) -> None:
        if self.url is None:
            return
        web_address(self.url, allow_private=self.allow_private)
        if self.model is None:
            raise ValueError("`url` needs `model`, as the endpoint calls it")
        if self.input_price is None or self.output_price is None:
            raise ValueError(
                "a model without `input_price` and `output_price` (of a million tokens) is never called: nothing could "
                "limit what it spends. Give 0 for one that costs nothing"
            )


class TenantSpend(_Part):
    """What a tenant may spend in a day, UTC."""

    cost: Money


class Spend(TenantSpend):
    """The `[spend]` table: of each tenant, unless it has its own; judge and generator together."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"  # of all prices
    least: Annotated[float, Field(gt=0, le=1)] = 0.001  # probability; where money leaves less, it is 0
    tenants: dict[TenantName, TenantSpend] = Field(default_factory=dict)

    def limit_pico(self, tenant: str) -> int:
        """In 1e-12 of the currency."""
        return int(self.tenants.get(tenant, self).cost * PICO)


def _span(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= value[0] < value[1] <= 1:
        raise ValueError("must be two numbers within 0..1, the lower first")
    return value


class Cascade(_Part):
    """The `[judge.cascade]` table: which samples are judged."""

    band: Annotated[tuple[float, float], AfterValidator(_span)] = (0.3, 0.7)  # first scores that are uncertain
    band_rate: Rate = 1.0  # the probability within it
    floor: Rate = 0.05  # and outside


class Judge(_Model):
    """The `[judge]` table."""

    local: str | None = None  # instead of `url`: a Hugging Face causal model, a name on the hub or a folder
    revision: str | None = None  # of `local` on the hub
    votes: Annotated[int, Field(strict=True, ge=1, le=9)] = 1  # replies to each sample
    prompt: AbsolutePath | None = None  # a prompt file of your own
    json_schema: Literal["auto", "on", "off"] = "auto"  # whether the endpoint is asked to keep to the schema
    wait_s: Annotated[float, Field(gt=0, le=604_800)] = 3_600.0  # a sample waits for a judge that is down, or behind
    max_input_chars: Annotated[int, Field(strict=True, ge=1_000, le=4_000_000)] = 100_000  # of what is sent in one call
    cascade: Cascade = Cascade()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.url is None) is (self.local is None):
            raise ValueError("give `url` with `model`, or `local`")
        self._check_endpoint()
        self._check_time(2 * self.votes)
        if self.votes > 1 and self.temperature == 0:
            raise ValueError("several `votes` at temperature 0 are the same one over again: give a `temperature`")
        return self

    @property
    def named(self) -> str:
        """The model, as it is stored and shown."""
        return self.model or Path(self.local or "").name


class Generator(_Model):
    """The `[consistency.generator]` table: where alternative responses are drawn, best from the application's own model."""

    url: str
    rate: Rate  # share of the tenants' samples, of those that came without alternative responses
    samples: Annotated[int, Field(strict=True, ge=2, le=20)] = 5
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._check_endpoint()
        self._check_time(self.samples)
        return self


class Consistency(_Part):
    """The `[consistency]` table."""

    sent: bool = True  # whether responses are compared with alternative ones that came with them
    most: Annotated[int, Field(strict=True, ge=2, le=20)] = (
        10  # alternative responses that are compared, the first ones
    )
    generator: Generator | None = None
