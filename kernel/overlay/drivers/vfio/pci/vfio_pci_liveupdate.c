// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-pci across a live update
 */
#define pr_fmt(fmt) "vfio-pci: liveupdate: " fmt

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/crc32.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/vfio_pci_core.h>

#include "../vfio.h"
#include "vfio_pci_liveupdate.h"

/**
 * DOC: vfio-pci live update
 *
 * The file of a bound and attached vfio-pci device is preserved after the
 * iommufd it is bound to, in the same session. The device keeps its state, its
 * place on the bus and its HWPT; its interrupts are turned off when the old
 * kernel ends. All that the new kernel needs to know is which device it is.
 *
 * In the new kernel vfio-pci has to be bound to the device, which no other
 * driver that does DMA can be. Then the session gives the file, and only the
 * session does: opening the character device fails until finish. The user binds
 * the file to the retrieved iommufd. The device is not reset by that.
 *
 * Unhappy paths:
 *
 * - vfio-pci is not bound yet: retrieve fails with EAGAIN and can be repeated,
 *   as it can when there is no memory.
 * - The device is not there or its IOMMU record was rejected: retrieve fails,
 *   LUO remembers that.
 * - The device is pulled out: its VMM gets the error event, and the device is
 *   removed when the session is undone or finished.
 * - The user dies: LUO holds the file. When another one closes it, the device
 *   is stopped and reset like any other.
 *
 * Locks: dev_set->lock is taken inside of LUO's. device_lock is only tried,
 * because unbind holds it while it waits for files to be closed.
 */

static struct vfio_device *to_vfio(const struct file *file)
{
	return ((struct vfio_device_file *)file->private_data)->device;
}

static bool vfio_pci_lu_can_preserve(struct liveupdate_file_handler *fh,
				     struct file *file)
{
	const char *name;

	if (file->f_op != &vfio_device_fops)
		return false;
	name = to_vfio(file)->ops->name;
	return name && !strcmp(name, "vfio-pci");
}

static int check_file(struct vfio_device_file *df,
		      const struct liveupdate_file_op_args *args)
{
	struct vfio_device *vdev = df->device;

	lockdep_assert_held(&vdev->dev_set->lock);

	if (df->group)
		return -EOPNOTSUPP;
	if (!df->access_granted || !df->iommufd)
		return -EPERM;
	if (!iommufd_lu_preserved_with(df->iommufd, args))
		return -ENOENT;
	if (!vdev->iommufd_attached)
		return -EINVAL;
	return 0;
}

/* Of the place too: a record does not move */
static u32 ser_crc(const struct vfio_pci_lu_ser *ser)
{
	return crc32c(PHYS_PFN(__pa(ser)), &ser->segment,
		      sizeof(*ser) - offsetof(struct vfio_pci_lu_ser, segment));
}

static int vfio_pci_lu_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device_file *df = args->file->private_data;
	struct pci_dev *pdev = to_pci_dev(df->device->dev);
	struct vfio_pci_lu_ser *ser;
	int ret;

	guard(mutex)(&df->device->dev_set->lock);
	ret = check_file(df, args);
	if (ret)
		return ret;

	ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	ret = iommu_lu_preserve_device(&pdev->dev, virt_to_phys(ser));
	if (ret)
		goto err_ser;
	ret = pci_liveupdate_preserve(pdev);
	if (ret)
		goto err_device;

	ser->magic = VFIO_PCI_LU_MAGIC;
	ser->segment = pci_domain_nr(pdev->bus);
	ser->rid = pci_dev_id(pdev);
	ser->vendor = pdev->vendor;
	ser->device = pdev->device;
	ser->crc = ser_crc(ser);
	args->serialized_data = virt_to_phys(ser);
	return 0;

err_device:
	iommu_lu_unpreserve_device(&pdev->dev);
err_ser:
	kho_unpreserve_free(ser);
	return ret;
}

static void vfio_pci_lu_unpreserve(struct liveupdate_file_op_args *args)
{
	struct pci_dev *pdev = to_pci_dev(to_vfio(args->file)->dev);

	pci_liveupdate_unpreserve(pdev);
	iommu_lu_unpreserve_device(&pdev->dev);
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

/*
 * Who unbinds or removes a device holds device_lock while the files of the
 * device are open, and device_shutdown() would wait for that: a hang when there
 * is no way back any more. For a kept device both are refused where a user asks
 * for them, but not when the slot loses its power, and not in time when it began
 * before preserve. The same lock tells whether VFs were being made then.
 */
static int vfio_pci_lu_freeze(struct liveupdate_file_op_args *args)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_FREEZE);
	struct pci_dev *pdev = to_pci_dev(to_vfio(args->file)->dev);
	int ret = 0;

	if (!device_trylock(&pdev->dev)) {
		pci_err(pdev, "live update: it is being unbound or changed\n");
		return -EBUSY;
	}
	if (pci_num_vf(pdev))
		ret = -EBUSY;
	device_unlock(&pdev->dev);
	if (!ret)
		ret = iommu_lu_freeze_device(&pdev->dev);
	return ret ?: pci_liveupdate_freeze(pdev);
}

static void vfio_pci_lu_unfreeze(struct liveupdate_file_op_args *args)
{
	pci_liveupdate_unfreeze();
}

/**
 * vfio_pci_lu_ser_error - Is it what vfio-pci of the previous kernel has left?
 * @ser: Preserved memory, not trusted
 * @max: Its size
 *
 * Return: what is wrong with it, or NULL.
 */
const char *vfio_pci_lu_ser_error(const struct vfio_pci_lu_ser *ser, size_t max)
{
	if (max != PAGE_SIZE || ser->magic != VFIO_PCI_LU_MAGIC)
		return "it is something else";
	if (ser->crc != ser_crc(ser))
		return "it has a wrong CRC";
	if (ser->flags || ser->reserved)
		return "it has bits that are not known";
	if (ser->segment > U16_MAX)
		return "its segment is out of range";
	return NULL;
}

static struct vfio_pci_lu_ser *get_ser(u64 phys)
{
	size_t max = kho_preserved_size(phys);
	const char *why;

	if (!max)
		why = "nothing was preserved";
	else
		why = vfio_pci_lu_ser_error(phys_to_virt(phys), max);
	if (!why)
		return phys_to_virt(phys);
	pr_err("no device at %#llx: %s\n", phys, why);
	return NULL;
}

static struct pci_dev *get_device_at(u32 segment, u16 rid)
{
	struct device *dev = iommu_lu_get_device(segment, rid);

	if (dev)
		return to_pci_dev(dev);
	return pci_get_domain_bus_and_slot(segment, PCI_BUS_NUM(rid),
					   rid & 0xff);
}

static struct pci_dev *find_device(u64 phys)
{
	struct vfio_pci_lu_ser *ser = get_ser(phys);
	struct pci_dev *pdev;

	if (!ser)
		return NULL;
	pdev = get_device_at(ser->segment, ser->rid);
	if (!pdev || pdev->vendor != ser->vendor ||
	    pdev->device != ser->device) {
		pr_err("no device %04x:%04x at %04x:%02x:%02x.%d\n",
		       ser->vendor, ser->device, ser->segment,
		       PCI_BUS_NUM(ser->rid), PCI_SLOT(ser->rid),
		       PCI_FUNC(ser->rid));
		pci_dev_put(pdev);
		return NULL;
	}
	return pdev;
}

/* With a registration taken, to be put */
static struct vfio_device *get_vfio(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *vdev;
	struct vfio_device *ret = ERR_PTR(-EAGAIN);

	if (!device_trylock(&pdev->dev))
		return ret;
	if (pdev->driver && !strcmp(pdev->driver->name, "vfio-pci")) {
		vdev = dev_get_drvdata(&pdev->dev);
		if (vdev && vfio_device_try_get_registration(&vdev->vdev))
			ret = &vdev->vdev;
	}
	device_unlock(&pdev->dev);
	return ret;
}

/* What opening the character device would give; takes over the registration */
static struct file *open_vfio(struct vfio_device *vdev)
{
	struct vfio_device_file *df;
	struct file *file;

	df = vfio_allocate_device_file(vdev);
	if (IS_ERR(df)) {
		vfio_device_put_registration(vdev);
		return ERR_CAST(df);
	}

	file = anon_inode_getfile("[vfio-device]", &vfio_device_fops, df,
				  O_RDWR);
	if (IS_ERR(file)) {
		kfree(df);
		vfio_device_put_registration(vdev);
		return file;
	}
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	file->f_mapping = vdev->inode->i_mapping;
	return file;
}

static int vfio_pci_lu_retrieve(struct liveupdate_file_op_args *args)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_RETRIEVE);
	struct pci_dev *pdev __free(pci_dev_put) =
		find_device(args->serialized_data);
	struct vfio_device *vdev;
	struct file *file;

	if (!pdev)
		return -ENODEV;
	if (!iommu_lu_device_incoming(&pdev->dev) ||
	    !iommu_lu_device_of(&pdev->dev, args->serialized_data)) {
		pci_err(pdev, "live update: its IOMMU state did not come over\n");
		return -EIO;
	}

	if (pci_liveupdate_retrieve(pdev))
		return -ENODEV;
	args->again = true;
	vdev = get_vfio(pdev);
	file = IS_ERR(vdev) ? ERR_CAST(vdev) : open_vfio(vdev);
	if (IS_ERR(file)) {
		pci_liveupdate_unretrieve(pdev);
		return PTR_ERR(file);
	}
	args->file = file;
	return 0;
}

static bool vfio_pci_lu_can_finish(struct liveupdate_file_op_args *args)
{
	struct pci_dev *pdev __free(pci_dev_put) = NULL;

	if (args->retrieve_status > 0)
		return !iommu_lu_device_live(to_vfio(args->file)->dev);
	pdev = find_device(args->serialized_data);
	return !pdev || !iommu_lu_device_of(&pdev->dev, args->serialized_data) ||
	       !iommu_lu_device_live(&pdev->dev);
}

static void vfio_pci_lu_finish(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_lu_ser *ser = get_ser(args->serialized_data);
	struct pci_dev *pdev __free(pci_dev_put) =
		find_device(args->serialized_data);

	if (pdev && iommu_lu_device_of(&pdev->dev, args->serialized_data))
		iommu_lu_finish_device(&pdev->dev);
	if (ser)
		kho_restore_free(ser);
}

static const struct liveupdate_file_ops vfio_pci_lu_ops = {
	.can_preserve = vfio_pci_lu_can_preserve,
	.preserve = vfio_pci_lu_preserve,
	.unpreserve = vfio_pci_lu_unpreserve,
	.freeze = vfio_pci_lu_freeze,
	.unfreeze = vfio_pci_lu_unfreeze,
	.retrieve = vfio_pci_lu_retrieve,
	.can_finish = vfio_pci_lu_can_finish,
	.finish = vfio_pci_lu_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler vfio_pci_lu_handler = {
	.ops = &vfio_pci_lu_ops,
	.compatible = VFIO_PCI_LU_COMPATIBLE,
};

/**
 * vfio_pci_lu_init - Register with LUO
 *
 * Context: Module init, before a device can be bound.
 * Return: 0, also when live update is off, or an error.
 */
int vfio_pci_lu_init(void)
{
	int ret = liveupdate_register_file_handler(&vfio_pci_lu_handler);

	if (ret == -EOPNOTSUPP)
		return 0;
	if (ret)
		goto err;
	ret = pci_liveupdate_register(&vfio_pci_lu_handler);
	if (!ret)
		ret = iommu_lu_register(&vfio_pci_lu_handler);
	if (ret)
		goto err_handler;
	return 0;

err_handler:
	liveupdate_unregister_file_handler(&vfio_pci_lu_handler);
err:
	pr_err("cannot register: %pe\n", ERR_PTR(ret));
	return ret;
}

/**
 * vfio_pci_lu_exit - Undo vfio_pci_lu_init()
 *
 * LUO holds this module as long as it has a file of it.
 */
void vfio_pci_lu_exit(void)
{
	liveupdate_unregister_file_handler(&vfio_pci_lu_handler);
}

MODULE_IMPORT_NS("IOMMUFD");
