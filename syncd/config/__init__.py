"""The config file: found, read and checked. Unknown keys are errors; secrets never show."""

from syncd.config.build import COLORS
from syncd.config.load import find_config, load_config
from syncd.config.schema import (
    Config,
    FieldsConfig,
    LimitsConfig,
    PortalConfig,
    SourceConfig,
    SyncConfig,
    TargetConfig,
)
from syncd.config.secrets import Secret

__all__ = [
    "COLORS",
    "Config",
    "FieldsConfig",
    "LimitsConfig",
    "PortalConfig",
    "Secret",
    "SourceConfig",
    "SyncConfig",
    "TargetConfig",
    "find_config",
    "load_config",
]
