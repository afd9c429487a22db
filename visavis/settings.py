"""Every setting of the server, in one typed place.

Each setting is an environment variable ``VISAVIS_<NAME>``; each flag of ``visavis serve`` sets one.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
"""What an URL without a driver means."""


class Settings(BaseSettings):
    """Settings of the server and its workers. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix="VISAVIS_", extra="ignore")

    host: str = Field("127.0.0.1", description="address the HTTP server listens on")
    port: int = Field(8080, ge=0, le=65535, description="port of the HTTP server; 0: any free one")
    data: Path = Field(Path("data"), description="folder of the database, keys, caches and uploads")
    database_url: str = Field(
        "", repr=False, description="postgresql://user:password@host/name; empty: SQLite in the data folder"
    )
    models: Path | None = Field(None, description="local folder of model files; empty: a cache in the user's home")
    public_address: str = Field("", description="host:port that clients use; empty: host and port as served")
    tls_cert: Path | None = Field(None, description="PEM certificate chain")
    tls_key: Path | None = Field(None, description="PEM private key")
    tls: str = Field("", pattern="^(|self)$", description="'self': serve HTTPS with a self-signed certificate")

    dispatcher: str = Field("local", description="entry point of the dispatcher")
    workers: int = Field(2, ge=1, le=64, description="warm worker processes")
    sessions_per_worker: int = Field(2, ge=1, le=64, description="jobs one worker may hold")
    heartbeat_s: float = Field(2.0, gt=0, description="interval of a running job's heartbeats")
    worker_timeout_s: float = Field(4.0, gt=0, description="a worker silent for so long counts as dead")

    udp_ports: str = Field("", pattern=r"^(|\d+-\d+)$", description="UDP port range of the media, e.g. 20000-20063")
    public_ip: str = Field("", description="public address of the media ports behind a 1:1 NAT")
    stun_urls: list[str] = Field(default_factory=list, description="STUN servers, JSON list")
    turn_urls: list[str] = Field(default_factory=list, description="TURN servers, JSON list")
    turn_secret: str = Field("", repr=False, description="shared secret of the TURN servers' REST credentials")
    turn_ttl_s: int = Field(7200, ge=60, description="lifetime of TURN credentials")
    rtc_token_ttl_s: int = Field(7200, ge=60, le=43200, description="lifetime of RTC tokens")
    link_timeout_s: float = Field(300.0, gt=0, description="a job nobody links to ends after so long")
    rejoin_timeout_s: float = Field(30.0, gt=0, description="a job whose person left and does not come back ends then")

    sleep_after_s: float = Field(60.0, gt=0, description="quiet time before the digital human falls asleep")
    sleep_warning_s: float = Field(10.0, gt=0, description="how long it announces that it falls asleep")
    exit_warning_s: float = Field(10.0, gt=0, description="warning before a mute time-out ends the job")

    recogniser: str = Field("whisper", description="entry point of the recogniser")
    synthesiser: str = Field("embedded", description="entry point of the synthesiser")
    whisper_threads: int = Field(
        1, ge=1, description="threads of one recognition; more are slower where cores are shared"
    )
    kokoro_threads: int = Field(1, ge=1, description="threads of the Mandarin synthesiser; more may cost frames")
    stt_service: str = Field("", description="a Pipecat STT service instead, 'module:Class'")
    stt_options: dict[str, Any] = Field(default_factory=dict, repr=False, description="its arguments, JSON")
    tts_service: str = Field("", description="a Pipecat TTS service instead, 'module:Class'")
    tts_options: dict[str, Any] = Field(default_factory=dict, repr=False, description="its arguments, JSON")

    lip_engine: str = Field("", description="entry point of a neural lip engine; 'onnx' is built in; empty: none")
    lip_engine_folder: Path | None = Field(None, description="folder of its engine.toml and weights")

    warm_answers: bool = Field(True, description="synthesise stored answers ahead of time while nobody talks")

    drive_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="a third-party driver that sends nothing for so long is disconnected"
    )
    dialogue: str = Field(
        "", description="entry point of a dialogue engine; empty: stored answers, or the robot's model"
    )
    knowledge: list[Path] = Field(
        default_factory=list, description="knowledge files instead of the shipped one, JSON list"
    )
    answer_threshold: float = Field(0.55, ge=0, le=1, description="similarity from which a stored answer is spoken")
    clarify_threshold: float = Field(0.48, ge=0, le=1, description="similarity from which it asks which was meant")

    llm_connect_s: float = Field(2.5, gt=0, le=60, description="a robot's language model is reached within this time")
    llm_first_token_s: float = Field(15.0, gt=0, le=300, description="its first word comes within this time")
    llm_next_token_s: float = Field(10.0, gt=0, le=300, description="and each next word within this time")
    llm_retries: int = Field(2, ge=0, le=5, description="further tries where it refuses or is busy, within 2.5 s")
    deep_seek_url: str = Field(
        "", description="OpenAI-compatible address of the model behind roles whose llm_source is DEEP_SEEK; empty: none"
    )
    deep_seek_model: str = Field("deepseek-chat", description="its name")
    deep_seek_key: str = Field("", repr=False, description="and its API key")
    mcp_stdio: dict[str, list[str]] = Field(
        default_factory=dict,
        description="MCP servers that the workers run, by name: command and arguments, JSON object; roles name them stdio:NAME",
    )
    mcp_credentials: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="values of MCP servers' auth_header_name, by their URLs, JSON object; for servers stored without one",
    )
    tool_s: float = Field(8.0, gt=0, le=60, description="one call of a role's tool may take so long")
    local_model: Path | None = Field(
        None,
        description="a GGUF file: `visavis serve` runs this language model here, for roles and robots that name it",
    )
    local_model_threads: int = Field(1, ge=1, le=256, description="threads it thinks with; more may cost frames")
    local_model_context: int = Field(4096, ge=512, le=1048576, description="tokens it can have in mind at once")
    local_model_url: str = Field(
        "", description="OpenAI-compatible address of a model that runs here already, instead of local_model"
    )
    local_model_key: str = Field("", repr=False, description="and its API key")

    weather_provider: str = Field(
        "", description="weather plug-ins of source DEFAULT: open-meteo, amap_weather, or an entry point; empty: none"
    )
    weather_url: str = Field("", description="its address; empty: the published one")
    weather_key: str = Field("", repr=False, description="its API key")
    weather_place: str = Field("", description="whose weather is meant when nobody names a place")
    search_provider: str = Field(
        "", description="search plug-ins of source DEFAULT: searxng, brave, bocha, or an entry point; empty: none"
    )
    search_url: str = Field("", description="its address; empty: the published one, if it has one")
    search_key: str = Field("", repr=False, description="its API key")
    plugin_urls: dict[str, str] = Field(
        default_factory=dict,
        description="other addresses of services that projects have their own keys to (bocha, amap_weather), JSON object",
    )

    audit_words: dict[str, Path] = Field(
        default_factory=dict,
        description="files of words whose questions are not answered, by language (en, zh), JSON object",
    )
    audit_url: str = Field("", description="OpenAI-compatible moderation endpoint that judges questions; empty: none")
    audit_model: str = Field("", description="its model; empty: its own default")
    audit_key: str = Field("", repr=False, description="its API key")
    audit_plugin: str = Field("", description="entry point of an audit of one's own; empty: none")
    audit_wait_s: float = Field(1.5, gt=0, le=30, description="a question waits so long for a model's judgement")
    audit_open: bool = Field(False, description="answer a question although no judgement came; else apologise")

    spark_url: str = Field("wss://spark-api.xf-yun.com/v3.5/chat", description="iFLYTEK Spark, for app_type 2")
    spark_model: str = Field("", description="its domain; empty: the one that belongs to the address")
    aiui_url: str = Field("https://openapi.xfyun.cn/v2/aiui", description="iFLYTEK AIUI, for app_type 0")
    mobvoi_url: str = Field(
        "https://open-ka.mobvoi.com/api/chat/v1/qaMobvoiStream", description="Mobvoi's open platform, for app_type 8"
    )
    cbs_url: str = Field("https://cbs-ext.cn-north-4.myhuaweicloud.com", description="Huawei CBS, for app_type 1")
    cbs_ak: str = Field("", repr=False, description="access key for it")
    cbs_sk: str = Field("", repr=False, description="and its secret")

    url_allow: list[str] = Field(
        default_factory=list,
        description="hosts or networks that users' URLs (models, pictures) may reach although internal, JSON list",
    )
    log_level: str = Field(
        "INFO", pattern="^(?i:debug|info|warning|error|critical)$", description="DEBUG, INFO, WARNING, ERROR"
    )
    log_format: str = Field("json", pattern="^(json|text)$", description="json or text")
    metrics_token: str = Field("", repr=False, description="bearer token of /metrics; empty: loopback clients only")
    secret_key: str = Field("", repr=False, description="key of stored secrets; empty: a key file")
    secret_keys_before: list[str] = Field(
        default_factory=list,
        repr=False,
        description="earlier values of it, to read with until `visavis secrets rotate` ran, JSON list",
    )
    secret_key_file: Path | None = Field(None, description="the key file; empty: secret.key in the data folder")
    check_answers: bool = Field(
        False, description="check every answer against the contract before it is sent; for tests and development"
    )
    token_ttl_s: int = Field(86400, ge=60, le=30 * 86400, description="lifetime of tokens of /v3/auth/tokens")
    audit_days: int = Field(180, ge=1, le=36500, description="days that the audit log keeps")
    bucket_secret: str = Field(
        "", repr=False, description="for `visavis project bucket`: the access key's secret, instead of asking for it"
    )
    delivery_days: float = Field(
        7.0, gt=0, le=365, description="days that a report or recording is kept while its bucket cannot be reached"
    )
    bucket_days: int = Field(
        0, ge=0, le=36500, description="days after which reports and recordings are deleted in the bucket; 0: never"
    )
    project_rate: float = Field(
        500.0, ge=0, le=1e6, description="API requests a second that one project may make for long; 0: any number"
    )
    project_burst: int = Field(1000, ge=1, le=10**6, description="API requests that it may make at once")
    asset_bytes: int = Field(
        10 * 2**30, ge=0, description="bytes that the uploaded files of one project may take; 0: any number"
    )
    asset_bin_days: float = Field(
        30.0, gt=0, le=3650, description="days that a deleted asset can be restored from the recycle bin"
    )
    max_body_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=2**30,
        description="size of an API request's body (uploads of files have limits of their own)",
    )

    @cached_property
    def udp_port_range(self) -> tuple[int, int] | None:
        """The UDP port range, both ends included; None: any."""
        if not self.udp_ports:
            return None
        low, high = (int(part) for part in self.udp_ports.split("-"))
        if not 1024 <= low <= high <= 65535:
            raise ValueError(f"udp_ports {self.udp_ports!r}: wanted 1024 <= low <= high <= 65535")
        return low, high

    @property
    def recordings(self) -> Path:
        """The folder of recordings on their way to a bucket, with a folder for each job."""
        return self.data / "recordings"

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL, with the driver that this server uses."""
        url = self.database_url or f"sqlite+aiosqlite:///{(self.data / 'visavis.sqlite3').resolve()}"
        scheme, colon, rest = url.partition(":")
        return _DRIVERS.get(scheme, scheme) + colon + rest

    @property
    def models_dir(self) -> Path:
        """The folder of assembled models."""
        return self.models or Path.home() / ".cache" / "visavis" / "models"
