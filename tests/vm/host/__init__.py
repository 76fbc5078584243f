# SPDX-License-Identifier: GPL-2.0-only
"""The host side of the rig: starts a machine, feeds it, watches it, judges it."""
