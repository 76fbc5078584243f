/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LUOD_NODE_H
#define LUOD_NODE_H

#define NODE "/dev/liveupdate"

/*
 * Both open the node, ask, and close it again: only one process can have it open,
 * and systemd is to find it free. They do not wait.
 *
 * Return: a file descriptor, or -errno: -ETXTBSY somebody has the node open;
 * -ENODEV there is none; else of the kernel
 */
int node_create(const char *node, const char *name);
int node_retrieve(const char *node, const char *name);

#endif
