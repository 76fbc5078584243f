// SPDX-License-Identifier: GPL-2.0-only
/*
 * A drive reads into the BAR of another device, from before the kexec until its
 * owner stops it: through the translations of the old kernel, without a kernel,
 * through the restored ones, and through new ones. Both devices are of one session.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "counts.h"
#include "iommufd.h"
#include "klog.h"
#include "luo.h"
#include "owner.h"
#include "peer.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"

#define SESSION "peer"
#define WAIT_S 30

static struct vm vm;
static struct peer peer;

static void read_into_peer(void)
{
	nvme_read_into(&vm_nvme(&vm)->nvme, PEER_IOVA, peer.memory);
}

static int map_peer(void)
{
	return lost("peer-map", peer_map(&peer, vm.iommufd, vm.ioas)) ||
	       lost("peer-attach", vfio_attach(&peer.vfio, vm.hwpt)) ? -1 : 0;
}

static int begin(void)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	owner_plan_only(&plan, DRIVES);
	if (owner_create(&vm, &plan) || owner_translate(&vm) ||
	    lost("peer", peer_find(&peer)) ||
	    lost("peer-vfio-pci", pci_bind(peer.bdf, "vfio-pci")) ||
	    lost("peer-bind", peer_bind(&peer, -1, vm.iommufd)) ||
	    map_peer())
		return -1;
	read_into_peer();
	if (owner_start(&vm))
		return -1;
	owner_ready();
	return owner_warm(&vm);
}

static int peer_old(unsigned int stage)
{
	if (begin() || owner_preserve(&vm) ||
	    lost("peer-preserve", luo_preserve(vm.session, peer.vfio.fd,
					       TOKEN_PEER)))
		return -1;
	if (owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

/* Whether what was read in the blackout is there is seen by the first scan. */
static int arrive(void)
{
	if (lost("retrieve-memory", vm_retrieve_memory(&vm, SESSION)) ||
	    lost("peer", peer_find(&peer)) || lost("look", peer_look(&peer)))
		return -1;
	read_into_peer();
	vm_first_scan(&vm);
	event("scanned");
	return 0;
}

static int reclaim(void)
{
	int fd;

	if (lost("peer-vfio-pci", pci_bind(peer.bdf, "vfio-pci")) ||
	    lost("retrieve-iommufd", vm_retrieve_iommufd(&vm)))
		return -1;
	fd = luo_retrieve(vm.session, TOKEN_PEER);
	if (lost("peer-retrieve", fd) ||
	    lost("peer-bind", peer_bind(&peer, fd, vm.iommufd)))
		return -1;
	read_into_peer();
	if (owner_reclaim(&vm))
		return -1;
	return check("traffic-restored", device_await(vm_nvme(&vm), 50),
		     "reads into the BAR under the restored translations") ?
		       0 : -1;
}

static int swap(void)
{
	if (lost("remap", vm_remap(&vm)) || map_peer() ||
	    lost("swap", vm_attach(&vm, vm.hwpt)))
		return -1;
	event("swapped");
	return check("traffic-swapped", device_await(vm_nvme(&vm), 50),
		     "reads into the BAR under the new translations") ? 0 : -1;
}

static int peer_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (arrive())
		return -1;
	rc = reclaim() || swap() || owner_release(&vm);
	if (!rc)
		owner_reads_done(&vm);
	traffic_quiet(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	peer_close(&peer);
	rc |= owner_unbind(&vm);
	rc |= lost("peer-unbind", pci_unbind(peer.bdf));
	owner_account(&vm);
	return rc ? -1 : 0;
}

/* What the kernel says of a transfer that the IOMMU blocks. */
static bool blocked(void)
{
	char text[40];

	snprintf(text, sizeof(text), "fault addr %#llx",
		 PEER_IOVA >> 24);
	for (int i = 0; i < WAIT_S * 10; i++) {
		if (klog_has(text))
			return true;
		usleep(100000);
	}
	return false;
}

/*
 * The BAR is there, its tables are preserved, and nothing is to be lost of them;
 * but its user has taken it away for a moment, and so it leads nowhere.
 */
static int gone(unsigned int stage)
{
	struct counts before;
	int rc;

	(void)stage;
	if (begin() || lost("counts", counts_read(&before)) ||
	    owner_preserve(&vm) ||
	    lost("peer-preserve", luo_preserve(vm.session, peer.vfio.fd,
					       TOKEN_PEER)))
		return -1;
	check("works", device_await(vm_nvme(&vm), 20), "reads into the BAR");
	check("not-blocked", !klog_has("fault addr"), "no transfer was blocked");
	/* Who looks at the BAR while it is not there is killed */
	owner_reads_done(&vm);
	pump_stop(&vm.pump);
	check_rc("off", peer_memory(&peer, false), 0);
	check_rc("on", peer_memory(&peer, true), 0);
	/* One read: QEMU 7.2 dies of cancelling a thousand that were blocked */
	vm_nvme(&vm)->nvme.least = 1;
	nvme_poll(&vm_nvme(&vm)->nvme);
	nvme_last_reads(&vm_nvme(&vm)->nvme);
	check("blocked", blocked(), "reads into the BAR are blocked");
	close(vm.session);
	vm.session = -1;
	counts_check("undone", &before);
	peer_close(&peer);
	rc = owner_unbind(&vm);
	rc |= lost("peer-unbind", pci_unbind(peer.bdf));
	owner_account(&vm);
	return rc ? -1 : 0;
}

static const struct scenario peer_gone = {
	.name = "peer-gone",
	.description = "a BAR that is taken away from a preserved table",
	.stages = { gone },
};
SCENARIO(peer_gone);

static const struct scenario peer_scenario = {
	.name = "peer",
	.description = "a drive reads into the BAR of another kept device",
	.stages = { peer_old, peer_new },
};
SCENARIO(peer_scenario);
