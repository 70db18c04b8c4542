"""Errors of the sidecar and the workers: each says what went wrong and what to do next.

AssayError
├── SettingsInvalidError, PolicyInvalidError, StartRefusedError   at start
├── SchemaMismatchError, SchemaNewerError                         at start
├── QueryInvalidError, RequestInvalidError                        400
├── KeyMissingError, KeyUnknownError                              401
├── ScopeMissingError, HostRefusedError                           403
├── SampleUnknownError, LabelTargetUnknownError                   404
├── RuleUnknownError, SilenceUnknownError                         404
├── GoldenRunUnknownError, GoldenSetUnknownError                  404
├── ClientSamplingOffError                                        404
├── RequestTooSlowError, BodyTooSlowError                         408
├── SampleConflictError, GoldenRunsDifferError                    409
├── GoldenRunConflictError                                        409
├── BodyTooLargeError                                             413
├── EncodingUnknownError                                          415
├── PayloadInvalidError                                           422
├── OverloadedError                                               429
├── HeadersTooLargeError                                          431
└── StoreUnavailableError                                         503
"""


class AssayError(Exception):
    """Something went wrong."""

    code = "error"  # stable name, part of the HTTP contract
    next_step = "Report this as a bug."

    def __init__(self, detail: str | None = None, *, field: str | None = None, next_step: str | None = None) -> None:
        """Takes what happened, the field it is about, and what to do next if the class's own advice is too general."""
        self.detail = detail or (self.__doc__ or "").strip()
        self.field = field
        self.next_step = next_step or type(self).next_step
        super().__init__(self.detail)

    def __str__(self) -> str:
        return f"{self.detail} {self.next_step}"


class SettingsInvalidError(AssayError):
    """A setting has no valid value."""

    code = "settings_invalid"
    next_step = "Correct the environment variable; README.md lists all of them."


class PolicyInvalidError(AssayError):
    """The policy file is not valid."""

    code = "policy_invalid"
    next_step = "Correct the file and run `assay check FILE`."


class StartRefusedError(AssayError):
    """The process must not start like this."""

    code = "start_refused"
    next_step = "Correct what it names, then start again."


class SchemaMismatchError(AssayError):
    """The database's schema is not the one this version needs."""

    code = "schema_mismatch"
    next_step = "Run `assay db upgrade`, then the same again."


class SchemaNewerError(SchemaMismatchError):
    """The database's schema was made by a newer version."""

    code = "schema_newer"
    next_step = "Install the newer version again, or restore the backup from before its upgrade."


class QueryInvalidError(AssayError):
    """A query parameter has no valid value."""

    code = "query_invalid"
    next_step = "Correct the query parameter; /docs lists them."


class KeyMissingError(AssayError):
    """This request needs an API key."""

    code = "key_missing"
    next_step = "Send `Authorization: Bearer KEY`; make a key with `assay keys create`."


class KeyUnknownError(AssayError):
    """The API key is unknown or revoked."""

    code = "key_unknown"
    next_step = "Check the key with `assay keys list`, or make one with `assay keys create`."


class ScopeMissingError(AssayError):
    """The API key lacks the scope that this request needs."""

    code = "scope_missing"
    next_step = "Use a key with that scope; `assay keys create --scope SCOPE` makes one."


class HostRefusedError(AssayError):
    """The Host or Origin header names no host that this sidecar answers for."""

    code = "host_refused"
    next_step = "Call it by a name in ASSAY_ALLOWED_HOSTS, or add the name there."


class SampleUnknownError(AssayError):
    """There is no sample of this id: it was sampled out, or never sent."""

    code = "sample_unknown"
    next_step = "Look at the `decision` that POST /score answered; only samples have a row."


class LabelTargetUnknownError(AssayError):
    """A label is of a sample or a claim that is not there."""

    code = "label_target_unknown"
    next_step = "Look at GET /score/{id}: only samples have a row, and `claims` lists the claims in order from 0."


class RuleUnknownError(AssayError):
    """The policy has no alert rule of this name for this tenant."""

    code = "rule_unknown"
    next_step = "GET /alerts lists the rules; a sidecar reads its policy again on SIGHUP."


class SilenceUnknownError(AssayError):
    """There is no silence of this number."""

    code = "silence_unknown"
    next_step = "GET /alerts/silences lists them."


class GoldenRunUnknownError(AssayError):
    """There is no golden run of this id."""

    code = "golden_run_unknown"
    next_step = "GET /golden-runs lists them."


class GoldenSetUnknownError(AssayError):
    """There is no golden set of this name."""

    code = "golden_set_unknown"
    next_step = "Name a shipped one, core or probes, or send the items themselves."


class GoldenRunsDifferError(AssayError):
    """The two golden runs cannot be compared."""

    code = "golden_runs_differ"
    next_step = "Compare runs of the same kind of target over the same set."


class GoldenRunConflictError(AssayError):
    """Another golden run with this id and a different body was accepted before."""

    code = "golden_run_conflict"
    next_step = "Send a new id, or the same body."


class SampleConflictError(AssayError):
    """Another submission with this id and a different body was accepted before."""

    code = "sample_conflict"
    next_step = "Send a new id, or the same body."


class ClientSamplingOffError(AssayError):
    """The policy lets no client decide."""

    code = "client_sampling_off"
    next_step = (
        "Send every submission; the sidecar decides. `client_side = true` under [sampling] turns it on, unless rules have "
        "`signals` or there is a budget, which only the sidecar knows."
    )


class BodyTooLargeError(AssayError):
    """The request body is too large."""

    code = "body_too_large"
    next_step = "Send fewer or smaller submissions, or raise ASSAY_MAX_BODY_BYTES."


class EncodingUnknownError(AssayError):
    """The request body is compressed."""

    code = "encoding_unknown"
    next_step = "Send the body as it is, without Content-Encoding."


class RequestInvalidError(AssayError):
    """The request is not valid HTTP/1.1."""

    code = "request_invalid"
    next_step = "Send one Content-Length or chunks, and only characters that a request may hold."


class RequestTooSlowError(AssayError):
    """No complete request came in time."""

    code = "request_too_slow"
    next_step = "Send the request line and all headers at once."


class BodyTooSlowError(AssayError):
    """The request body did not come in time."""

    code = "body_too_slow"
    next_step = "Send it faster or in smaller batches, or raise ASSAY_BODY_TIMEOUT_S."


class HeadersTooLargeError(AssayError):
    """The request's headers are too large."""

    code = "headers_too_large"
    next_step = "Send fewer or shorter headers; 64 KiB are accepted."


class PayloadInvalidError(AssayError):
    """The request body is not a valid submission."""

    code = "payload_invalid"
    next_step = "Correct the field; /docs shows a valid body."


class OverloadedError(AssayError):
    """Too many samples are waiting to be scored."""

    code = "overloaded"
    next_step = "Retry later, or add workers (`assay worker`)."


class StoreUnavailableError(AssayError):
    """The database did not answer."""

    code = "store_unavailable"
    next_step = "Retry with the same id; GET /readyz tells when the database answers again."
