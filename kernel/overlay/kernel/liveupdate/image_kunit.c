// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test how an image is searched for what its kernel reads
 */
#include <kunit/test.h>
#include <linux/liveupdate-devices.h>
#include <linux/liveupdate-image.h>
#include <linux/sizes.h>
#include <linux/string.h>

#define IMAGE_SIZE	SZ_8K
/* Where it is put, with most of the image on both sides */
#define IMAGE_AT	(SZ_4K + LU_IMAGE_ALIGN)

static struct lu_image_ser *put(u8 *image, size_t at)
{
	memcpy(image + at, &lu_image, sizeof(lu_image));
	return (struct lu_image_ser *)(image + at);
}

static int image_init(struct kunit *test)
{
	/* Its end is the end of what was allocated: KASAN sees a step too far */
	test->priv = kunit_kzalloc(test, IMAGE_SIZE, GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void image_find_test(struct kunit *test)
{
	struct lu_image_ser *ser = put(test->priv, IMAGE_AT);
	size_t last = IMAGE_SIZE - round_up(sizeof(lu_image), LU_IMAGE_ALIGN);

	KUNIT_EXPECT_PTR_EQ(test, lu_image_find(test->priv, IMAGE_SIZE), ser);
	memset(ser, 0, sizeof(lu_image));
	ser = put(test->priv, 0);
	KUNIT_EXPECT_PTR_EQ(test, lu_image_find(test->priv, IMAGE_SIZE), ser);
	memset(ser, 0, sizeof(lu_image));
	ser = put(test->priv, last);
	KUNIT_EXPECT_PTR_EQ(test, lu_image_find(test->priv, IMAGE_SIZE), ser);
	KUNIT_EXPECT_PTR_EQ(test,
			    lu_image_find(test->priv, last + sizeof(lu_image)),
			    ser);
}

static void image_none_test(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, 0));
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, 1));
	put(test->priv, LU_IMAGE_ALIGN / 2);
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
}

/* However much of it is cut off, the rest is not read */
static void image_cut_test(struct kunit *test)
{
	size_t first = IMAGE_SIZE - round_up(sizeof(lu_image), LU_IMAGE_ALIGN);

	put(test->priv, first);
	for (size_t len = first; len < first + sizeof(lu_image); len++)
		KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, len));
	for (size_t at = first + LU_IMAGE_ALIGN; at < IMAGE_SIZE;
	     at += LU_IMAGE_ALIGN) {
		memset(test->priv, 0, IMAGE_SIZE);
		memcpy(test->priv + at, &lu_image, IMAGE_SIZE - at);
		KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
	}
}

static void image_bad_test(struct kunit *test)
{
	static const u32 counts[] = { 0, LU_IMAGE_NAMES - 1, LU_IMAGE_NAMES + 1,
				      LU_IMAGE_MAX_NAMES + 1, 89478485,
				      0x80000000, U32_MAX };
	struct lu_image_ser *ser = put(test->priv, IMAGE_AT);
	const u8 *whole = (const u8 *)&lu_image;

	/* One bit wrong anywhere in the header */
	for (size_t bit = 0; bit < 8 * sizeof(*ser); bit++) {
		((u8 *)ser)[bit / 8] ^= BIT(bit % 8);
		KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
		((u8 *)ser)[bit / 8] = whole[bit / 8];
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		ser->count = counts[i];
		KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
	}
	/* The right length of what is far too much */
	ser->count = LU_IMAGE_MAX_NAMES + 1;
	ser->length = sizeof(*ser) + ser->count * LU_IMAGE_NAME_LEN;
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));

	ser = put(test->priv, IMAGE_AT);
	ser->names[0][LU_IMAGE_NAME_LEN - 1] = 'x';
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
	ser = put(test->priv, IMAGE_AT);
	ser->names[LU_IMAGE_NAMES - 1][0] = 0;
	KUNIT_EXPECT_NULL(test, lu_image_find(test->priv, IMAGE_SIZE));
}

/* Bytes that look like it come before the real one */
static void image_second_test(struct kunit *test)
{
	struct lu_image_ser *fake = put(test->priv, 0);
	struct lu_image_ser *ser = put(test->priv, IMAGE_AT);

	fake->count = 0;
	KUNIT_EXPECT_PTR_EQ(test, lu_image_find(test->priv, IMAGE_SIZE), ser);
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(image_find_test),
	KUNIT_CASE(image_none_test),
	KUNIT_CASE(image_cut_test),
	KUNIT_CASE(image_bad_test),
	KUNIT_CASE(image_second_test),
	{},
};

static struct kunit_suite image_suite = {
	.name = "liveupdate_image",
	.init = image_init,
	.test_cases = image_cases,
};

kunit_test_suite(image_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of what a kernel image says it reads");
