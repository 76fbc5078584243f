/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __VFIO_PCI_LIVEUPDATE_H
#define __VFIO_PCI_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>
#include <linux/pci.h>

struct vfio_pci_lu_ser;

#ifdef CONFIG_VFIO_PCI_LIVEUPDATE
int vfio_pci_lu_init(void);
void vfio_pci_lu_exit(void);
#else
static inline int vfio_pci_lu_init(void)
{
	return 0;
}

static inline void vfio_pci_lu_exit(void)
{
}
#endif

const char *vfio_pci_lu_ser_error(const struct vfio_pci_lu_ser *ser,
				  size_t max);

/* A device that goes on from before a live update is opened as it is */

static inline void vfio_pci_lu_clear_master(struct pci_dev *pdev)
{
	if (!iommu_lu_device_live(&pdev->dev))
		pci_clear_master(pdev);
}

/* Its MSIs are off and nobody would handle the INTx it falls back to */
static inline void vfio_pci_lu_mask_intx(struct pci_dev *pdev)
{
	if (iommu_lu_device_live(&pdev->dev))
		pci_intx(pdev, 0);
}

static inline int vfio_pci_lu_try_reset(struct pci_dev *pdev)
{
	if (!iommu_lu_device_live(&pdev->dev))
		return pci_try_reset_function(pdev);
	return pdev->reset_methods[0] ? 0 : -ENOTTY;
}

/* What is put back at close must not make it a bus master again */
static inline void vfio_pci_lu_saved_state(struct pci_dev *pdev)
{
	if (iommu_lu_device_live(&pdev->dev))
		pdev->saved_config_space[PCI_COMMAND / 4] &=
			~PCI_COMMAND_MASTER;
}

/* Opening has failed: the count goes back, the device goes on */
static inline void vfio_pci_lu_disable_device(struct pci_dev *pdev)
{
	if (iommu_lu_device_live(&pdev->dev))
		atomic_dec(&pdev->enable_cnt);
	else
		pci_disable_device(pdev);
}

#endif /* __VFIO_PCI_LIVEUPDATE_H */
