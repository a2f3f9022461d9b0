"""A stand-in for Colab's own package, put on PYTHONPATH by tests.

It behaves as ``google.colab`` does where the notebooks depend on it. There is no ``google/__init__.py``, so
``google`` stays a namespace package and ``google.protobuf`` beside it can still be imported.
"""

from . import drive, files, output  # noqa: F401
