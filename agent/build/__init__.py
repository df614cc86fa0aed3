"""From a pushed tree to a plan, and from a plan to an image.

Detection reads files and decides; it runs nothing. Building runs the plan's steps inside a jail.
"""
