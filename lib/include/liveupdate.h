/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libliveupdate: memory, IOMMU translations and devices of a virtual machine
 * go through a kexec live update of Linux, see liveupdate(7).
 *
 * Calls return 0, or a file descriptor where they say so, or -errno. What they
 * give back through a pointer is written on success only. Nothing is printed,
 * nothing global is kept; an object is used by one thread at a time, different
 * objects by as many as you like.
 *
 * A file descriptor that is passed in stays the caller's: the library makes a
 * copy for itself where it needs one. One that a call returns is the caller's,
 * but for those of the functions that end in "_fd", which stay the object's.
 * All of them are closed on exec.
 *
 * The last argument of most calls says more of a failure than an errno can. It
 * may be NULL.
 */
#ifndef LIVEUPDATE_H
#define LIVEUPDATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* Errors */

/* What is wrong, where an errno has several meanings. Others may be added. */
enum lu_why {
	LU_WHY_SYSTEM = 0, /* the errno says it */
	LU_WHY_UNSUPPORTED, /* the running kernel lacks something */
	LU_WHY_NODE_BUSY, /* somebody keeps /dev/liveupdate open */
	LU_WHY_NO_KEEPER, /* nobody here keeps a session over the kexec */
	LU_WHY_KEEPER, /* the keeper refused, or does not answer */
	LU_WHY_DIRECTION, /* an outgoing session where an incoming one is due */
	LU_WHY_PLAN, /* the plan is not whole, or contradicts itself */
	LU_WHY_MEMORY, /* mapped is what no memfd of the plan holds */
	LU_WHY_ORDER, /* a file before the one it depends on */
	LU_WHY_NOT_MARKED, /* the HWPT of a device is not in the plan */
	LU_WHY_DEVICE, /* a device that this kernel cannot carry over */
	LU_WHY_PRESERVED, /* it is preserved already, here or elsewhere */
	LU_WHY_MAP, /* token 0 of the session is not a map of ours */
	LU_WHY_NO_DRIVER, /* vfio-pci is not bound to a device (yet) */
	LU_WHY_NOT_RETRIEVED, /* a file of the session was not taken yet */
	LU_WHY_ATTACHED, /* a device is still on its restored HWPT */
	LU_WHY_HWPT, /* a restored HWPT still exists */
	LU_WHY_LOST, /* the kernel has rejected what was handed over */
};

#define LU_SUBJECT_BYTES 64
#define LU_TEXT_BYTES 256

/**
 * struct lu_error - what went wrong
 * @size:    sizeof(struct lu_error), set by LU_ERROR_INIT
 * @code:    what the call has returned, a negative errno
 * @why:     the meaning of it, of enum lu_why
 * @reserved: 0
 * @token:   of the file in question, or LU_NO_TOKEN
 * @subject: what it is about: the name of a file, HWPT or device in the plan, a
 *           session, a path; empty for none
 * @text:    a sentence for people, in English: what is wrong, and what to do
 *
 * A call that succeeds leaves it as it was.
 */
struct lu_error {
	uint32_t size;
	int32_t code;
	uint32_t why;
	uint32_t reserved;
	uint64_t token;
	char subject[LU_SUBJECT_BYTES];
	char text[LU_TEXT_BYTES];
};

#define LU_NO_TOKEN UINT64_MAX
#define LU_ERROR_INIT { sizeof(struct lu_error), 0, 0, 0, LU_NO_TOKEN, "", "" }

/* What the running kernel can do */

#define LU_CAN_SESSIONS (1u << 0) /* /dev/liveupdate: sessions, memfds */
#define LU_CAN_IOMMU (1u << 1) /* iommufd and vfio-pci devices */
#define LU_CAN_ASK (1u << 2) /* state of sessions, maps of an IOAS */

/**
 * lu_support - ask what the running kernel can do
 * @ret_can: LU_CAN_ bits; NULL if of no interest
 *
 * Opens nothing that could be in somebody's way.
 *
 * Return: 0 if all that a plan with devices needs is there. -ENOTSUP if not;
 * @ret_can is written then as well, and @err says what is missing.
 */
int lu_support(uint32_t *ret_can, struct lu_error *err);

/* Sessions */

/* With the NUL, as the kernel has it (LIVEUPDATE_SESSION_NAME_LENGTH) */
#define LU_NAME_BYTES 64

struct lu_session;

enum lu_direction {
	LU_OUT = 0, /* made in this kernel, for the next one */
	LU_IN = 1, /* came from the kernel before */
};

/**
 * lu_session_acquire - get a session from wherever it is kept
 * @name: what the owner calls it; the kernel's name may be another one
 * @direction: LU_OUT for one to preserve in, LU_IN for one to take from
 *
 * Looks, in this order, among the files that systemd has passed to the process
 * (LUOSession=, or its file descriptor store), at the keeper luod(8), and at
 * /dev/liveupdate, which takes CAP_SYS_ADMIN or leave to open it. A new session
 * is made by luod or the kernel if none was passed. Where luod does not run, what it
 * has made for this user in the kernel before is found at /dev/liveupdate as well.
 *
 * Return: 0, or -errno:
 * -ENOENT: LU_IN, and there is none of that name anywhere
 * -EEXIST: LU_OUT, and there is one of that name
 * -EBUSY: somebody has it, or kept /dev/liveupdate open for 5 seconds
 * -EACCES: none of the three is open to this user
 * -EUSERS: luod has too many clients, ask again
 * others: LU_IN, and luod is there and could not say; it is not known whether there
 * is one, so ask again
 */
int lu_session_acquire(const char *name, enum lu_direction direction,
		       struct lu_session **ret, struct lu_error *err);

/**
 * lu_session_create - make a session at /dev/liveupdate
 *
 * The device is closed again at once: who keeps it open is in everybody's way.
 *
 * Return: 0, or -errno: as lu_session_acquire() with LU_OUT
 */
int lu_session_create(const char *name, struct lu_session **ret,
		      struct lu_error *err);

/**
 * lu_session_retrieve - get a session that came over, at /dev/liveupdate
 *
 * Return: 0, or -errno: -ENOENT there is none, or it is finished; -EALREADY
 * somebody has it; -EBUSY as lu_session_acquire()
 */
int lu_session_retrieve(const char *name, struct lu_session **ret,
			struct lu_error *err);

/**
 * lu_session_adopt - make an object of a session's file descriptor
 * @fd: belongs to the object on success
 *
 * Return: 0, or -errno: -EMEDIUMTYPE it is not a session
 */
int lu_session_adopt(int fd, struct lu_session **ret, struct lu_error *err);

/* The kernel's name of it, valid as long as the object. */
const char *lu_session_name(const struct lu_session *session);

/* Its file descriptor, the object's. */
int lu_session_fd(const struct lu_session *session);

/* LU_OUT or LU_IN. */
enum lu_direction lu_session_direction(const struct lu_session *session);

/**
 * lu_session_park - give the keeper a copy, so that it outlives this process
 *
 * One that systemd has passed is kept by systemd already. Of others a copy goes
 * to the file descriptor store of the service (FileDescriptorStoreMax= and
 * FileDescriptorStorePreserve=yes) or to luod. That store outlives a kexec from
 * systemd 261 on; a service that may run with an older one has none, or takes FDSTORE
 * out of its environment.
 *
 * Return: 0, or -errno: -ENOTCONN there is no keeper (LU_WHY_NO_KEEPER); -EUSERS luod
 * has too many clients, ask again; what else systemd or luod says
 */
int lu_session_park(struct lu_session *session, struct lu_error *err);

/**
 * lu_session_unpark - take that copy back
 *
 * To close an outgoing session undoes what was preserved in it only when nobody
 * has a copy of it.
 *
 * Return: 0, also if there was none, or -errno
 */
int lu_session_unpark(struct lu_session *session, struct lu_error *err);

/**
 * lu_session_preserve - preserve one file
 * @token: how it is found again. Token 0 is for the map of the session, which
 *         lu_plan_preserve() writes, those from LU_TOKEN_PLAN on are for what is in
 *         it; others are free.
 *
 * Return: 0, or -errno of LIVEUPDATE_SESSION_PRESERVE_FD, with the meaning of it
 * in @err
 */
int lu_session_preserve(struct lu_session *session, int fd, uint64_t token,
			struct lu_error *err);

/**
 * lu_session_take - get one file of an incoming session
 *
 * Asked for again it is the same file.
 *
 * Return: a new file descriptor, or -errno: -ENOENT no such token; -EAGAIN the
 * driver is not there yet, try again (LU_WHY_NO_DRIVER); others are for good
 */
int lu_session_take(struct lu_session *session, uint64_t token,
		    struct lu_error *err);

/* What has become of a file in a session */
enum lu_file_state {
	LU_FILE_PRESERVED = 0, /* of an outgoing session */
	LU_FILE_WAITING, /* of an incoming one, not taken yet */
	LU_FILE_TAKEN,
	LU_FILE_FAILED, /* it cannot be had any more */
	LU_FILE_UNCLAIMED, /* no driver that knows such files is loaded */
};

#define LU_HANDLER_BYTES 48

struct lu_file {
	uint64_t token;
	uint32_t state; /* of enum lu_file_state */
	uint32_t reserved;
	char handler[LU_HANDLER_BYTES]; /* kind and version: "memfd-v2" */
};

/**
 * lu_session_files - ask which files are in a session
 * @files: room for @room of them; NULL if @room is 0
 *
 * Return: how many there are, which may be more than were written, or -errno:
 * -ENOTSUP the kernel cannot be asked
 */
int lu_session_files(struct lu_session *session, struct lu_file *files,
		     unsigned int room, struct lu_error *err);

/**
 * lu_session_finish - end an incoming session
 *
 * Return: 0, also if it was done before, or -errno: -EBUSY something of it is
 * in use; @err says what, as far as a session knows it
 */
int lu_session_finish(struct lu_session *session, struct lu_error *err);

/*
 * Closes it, NULL is fine. Unless a keeper or another process has a copy, what
 * is preserved in an outgoing session is not any more, and an incoming session
 * is finished if it can be and waits for the next one to retrieve it if not.
 */
void lu_session_free(struct lu_session *session);

/* HWPTs, one by one; a plan does this for you */

/* Return: 0, or -errno of IOMMU_HWPT_LU_PRESERVE: -EADDRINUSE, -EBUSY, ... */
int lu_hwpt_mark(int iommufd, uint32_t hwpt, uint64_t token);
int lu_hwpt_unmark(int iommufd, uint32_t hwpt);

/* The HWPT that came with @token. Return: 0, or -ENOENT */
int lu_hwpt_restored(int iommufd, uint64_t token, uint32_t *ret_hwpt);

/* The plan: what a virtual machine consists of, and is to be preserved */

/* Tokens from here on are for what a plan preserves, in the order of the calls */
#define LU_TOKEN_PLAN 0x4c55000000000000ull

#define LU_READ (1u << 0) /* the device may read it */
#define LU_WRITE (1u << 1)

struct lu_plan;

int lu_plan_new(struct lu_plan **ret);

/* NULL is fine. What was preserved stays so. */
void lu_plan_free(struct lu_plan *plan);

/*
 * Each of these adds something under a name of the caller's: 1 to 63 bytes of
 * UTF-8, unique in the plan. What it depends on has to be in the plan already.
 *
 * Return: 0, or -errno: -EINVAL a name or a number that cannot be; -EEXIST the
 * name is in use; -ENOENT a name that is not there, or not of that kind;
 * -EMEDIUMTYPE the file is of another kind; -ENOMEM; -EMFILE
 */

/* Guest memory: a memfd, not hugetlb. */
int lu_plan_memfd(struct lu_plan *plan, const char *name, int fd);

/* Bytes of the VMM's own, as the state of the virtual CPUs; copied. */
int lu_plan_blob(struct lu_plan *plan, const char *name, const void *data,
		 size_t length);

int lu_plan_iommufd(struct lu_plan *plan, const char *name, int fd);

/*
 * A HWPT of that iommufd, by its ID. @flags are those with which it is allocated
 * again in the next kernel (IOMMU_HWPT_ALLOC_DIRTY_TRACKING), or 0.
 */
int lu_plan_hwpt(struct lu_plan *plan, const char *name, const char *iommufd,
		 uint32_t hwpt, uint32_t flags);

/*
 * What the HWPT translates, as it was mapped with IOMMU_IOAS_MAP_FILE: @length
 * bytes from @iova on lead to @offset in a memfd of the plan. @prot is of
 * LU_READ and LU_WRITE. Pieces that lie beside each other are mapped as one in
 * the next kernel.
 */
int lu_plan_map(struct lu_plan *plan, const char *hwpt, uint64_t iova,
		uint64_t length, const char *memfd, uint64_t offset,
		uint32_t prot);

/*
 * The same for a BAR of a device in the plan, bound to the same iommufd, that other
 * devices reach there: mapped as the dma-buf of VFIO_DEVICE_FEATURE_DMA_BUF, which
 * is made anew in the next kernel. @bar is 0 to 5.
 */
int lu_plan_bar(struct lu_plan *plan, const char *hwpt, uint64_t iova,
		uint64_t length, const char *device, uint32_t bar,
		uint64_t offset, uint32_t prot);

/*
 * lu_plan_map() for all that is mapped in an IOAS, as the kernel tells it. What is
 * neither memory of a memfd in the plan nor told of by lu_plan_bar() before is
 * -EINVAL (LU_WHY_MEMORY, with its range), a kernel that cannot be asked -ENOTSUP.
 */
int lu_plan_maps(struct lu_plan *plan, const char *hwpt, uint32_t ioas,
		 struct lu_error *err);

/*
 * A vfio-pci device, bound to the iommufd of that HWPT and attached to it.
 * @address says where it is ("0000:00:05.0"), for those who have to bind vfio-pci
 * in the next kernel. NULL: as the file tells, which one that came from the kernel
 * before does not; lu_guest_address() has it then.
 */
int lu_plan_device(struct lu_plan *plan, const char *name, int fd,
		   const char *hwpt, const char *address);

/**
 * lu_plan_check - look for what preserving would be refused for
 *
 * Changes nothing; the guest may run. It cannot see everything that the kernel
 * sees: a plan that passes can still be refused.
 *
 * Return: 0, or the -errno that lu_plan_preserve() would give
 */
int lu_plan_check(struct lu_plan *plan, struct lu_error *err);

/**
 * lu_plan_preserve - preserve all of it, or nothing
 *
 * Checks, marks the HWPTs, preserves memfds, blobs, iommufds and devices in this
 * order, and last a map of it all under token 0. DMA goes on; from here on until
 * lu_plan_undo() the translations cannot be changed and memory not resized.
 *
 * Each blob and the map take a memfd of their own.
 *
 * If it fails after the kernel has preserved something, only closing the session
 * can undo that: it is closed, a copy at a keeper taken back first, and @session
 * can only be freed. The marks are gone, the plan can be preserved again in a
 * new session. If the keeper does not give its copy back, what was preserved stays
 * so until lu_plan_undo() succeeds.
 *
 * Return: 0, or -errno
 */
int lu_plan_preserve(struct lu_plan *plan, struct lu_session *session,
		     struct lu_error *err);

/**
 * lu_plan_undo - the way back from lu_plan_preserve()
 *
 * Takes the copy back from the keeper, closes the session, unmarks the HWPTs.
 * Nobody else may have a copy of the session.
 *
 * Return: 0, or -errno: -EBUSY somebody has a copy, and all of it is still
 * preserved
 */
int lu_plan_undo(struct lu_plan *plan, struct lu_session *session,
		 struct lu_error *err);

/* The guest: the other half, in the next kernel */

struct lu_guest;

/**
 * lu_guest_open - read the map of a session and take its memory
 * @session: incoming; has to outlive the object
 *
 * Return: 0, or -errno: -EBADMSG there is no map, or not one of ours
 * (LU_WHY_MAP); of lu_session_take()
 */
int lu_guest_open(struct lu_session *session, struct lu_guest **ret,
		  struct lu_error *err);

/* NULL is fine. Closes its files; restored HWPTs stay until someone finishes. */
void lu_guest_free(struct lu_guest *guest);

/*
 * What kinds of things were in the plan, and their names in its order; NULL
 * behind the last one.
 */
enum lu_kind { LU_MEMFD = 0, LU_BLOB, LU_IOMMUFD, LU_HWPT, LU_DEVICE };
const char *lu_guest_name(const struct lu_guest *guest, enum lu_kind kind,
			  unsigned int index);

/*
 * The file of a memfd, or once it is taken of an iommufd or device, the object's;
 * -ENOENT for none, -EAGAIN before lu_guest_take().
 */
int lu_guest_fd(const struct lu_guest *guest, const char *name);

/* The bytes of a blob, valid as long as the object; NULL for none. */
const void *lu_guest_blob(const struct lu_guest *guest, const char *name,
			  size_t *ret_length);

/* Where a device is: "0000:00:05.0", valid as long as the object; or NULL. */
const char *lu_guest_address(const struct lu_guest *guest, const char *device);

/*
 * The steps, each after the one before. Each can be tried again when it has
 * failed, and does nothing that is done. Until lu_guest_swap() the devices work
 * with the translations of the old kernel, from then on with new ones that are
 * the same; no transfer is lost.
 */

/**
 * lu_guest_take - take iommufds and devices back from the kernel
 * @timeout_ms: how long to wait for the drivers they need, 0 not at all, negative
 *              for ever
 *
 * If this process may do so and nobody else has, it binds vfio-pci itself.
 *
 * Return: 0, or -errno: -EAGAIN it took longer (LU_WHY_NO_DRIVER); others are for
 * good (LU_WHY_LOST)
 */
int lu_guest_take(struct lu_guest *guest, int timeout_ms, struct lu_error *err);

/*
 * Go on without a device that cannot be had any more: no step after that has to
 * do with it. Return: 0, or -ENOENT; -EBUSY it was bound
 */
int lu_guest_drop(struct lu_guest *guest, const char *device);

/* Binds each device to its iommufd. */
int lu_guest_bind(struct lu_guest *guest, struct lu_error *err);

/* New IOAS and HWPTs, which map the same. May take long; DMA goes on. */
int lu_guest_rebuild(struct lu_guest *guest, struct lu_error *err);

/* Attaches each device to its new HWPT. */
int lu_guest_swap(struct lu_guest *guest, struct lu_error *err);

/*
 * Destroys the restored HWPTs. -EBUSY: a device is still attached to one
 * (LU_WHY_ATTACHED, with its name)
 */
int lu_guest_destroy(struct lu_guest *guest, struct lu_error *err);

/* Finishes the session: memory can be resized, the next live update prepared. */
int lu_guest_finish(struct lu_guest *guest, struct lu_error *err);

/* All of them, from lu_guest_take() on. */
int lu_guest_restore(struct lu_guest *guest, int timeout_ms,
		     struct lu_error *err);

/* After lu_guest_rebuild(): the IDs of the new ones. 0, -ENOENT or -EAGAIN */
int lu_guest_hwpt(const struct lu_guest *guest, const char *hwpt,
		  uint32_t *ret_ioas, uint32_t *ret_hwpt);

/* After lu_guest_bind(): the ID of the device in its iommufd. */
int lu_guest_devid(const struct lu_guest *guest, const char *device,
		   uint32_t *ret_devid);

/**
 * lu_guest_reap - for a guest that nobody wants any more
 *
 * Takes what is still to be had, blocks the DMA of each device, destroys the restored
 * HWPTs and finishes. What its devices were asked for by their last owner is
 * lost.
 *
 * Return: 0, or -errno as those
 */
int lu_guest_reap(struct lu_guest *guest, int timeout_ms, struct lu_error *err);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
