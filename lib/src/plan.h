/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LU_PLAN_H
#define LU_PLAN_H

#include "parts.h"

struct lu_plan {
	struct parts parts;
};

#endif
