"""The web page and the REST service: what `leafid identify` answers, without a terminal.

``application`` puts the parts together: ``request_guard`` checks every request before it is read, ``uploads`` stores
its photos, the processes of ``worker`` answer, behind the queue of ``worker_pool``; ``plantnet`` and ``leafid_api``
give the answers their shapes, and ``page`` shows them. The service makes no records of its own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
