from .server import serve_bundle as serve_bundle
from .settings import Limits as Limits
from .settings import ServeSettings as ServeSettings
