from .identify import Identifier as Identifier
from .version import __version__ as __version__
