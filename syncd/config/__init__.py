"""The config: found, read and checked. Unknown keys are errors; secrets are never shown."""

from syncd.config.config_values import (
    AlertsConfig,
    AppConfig,
    CardConfig,
    Config,
    FieldsConfig,
    HttpConfig,
    LimitsConfig,
    Outline,
    PortalConfig,
    SmtpConfig,
    SourceConfig,
    SyncConfig,
    TargetConfig,
    TellingConfig,
)
from syncd.config.load import find_config, load_config, load_outline
from syncd.config.secrets import Secret
from syncd.model.colors import COLORS

__all__ = [
    "COLORS",
    "AlertsConfig",
    "AppConfig",
    "CardConfig",
    "Config",
    "FieldsConfig",
    "HttpConfig",
    "LimitsConfig",
    "Outline",
    "PortalConfig",
    "Secret",
    "SmtpConfig",
    "SourceConfig",
    "SyncConfig",
    "TargetConfig",
    "TellingConfig",
    "find_config",
    "load_config",
    "load_outline",
]
