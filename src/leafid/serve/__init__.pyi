from .review.application import review_results as review_results
from .server import serve_bundle as serve_bundle
from .settings import Limits as Limits
from .settings import ReviewSettings as ReviewSettings
from .settings import ServeSettings as ServeSettings
