"""Colab's output area."""


def clear(wait=False, output_tags=()):
    pass


def enable_custom_widget_manager():
    pass


def no_vertical_scroll():
    pass
