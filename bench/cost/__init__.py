# SPDX-License-Identifier: GPL-2.0-only
"""What a live update costs, counted in instructions."""
