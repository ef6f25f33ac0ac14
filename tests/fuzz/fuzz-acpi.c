/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-acpi: any bytes as what firmware left below 1 MiB and a little above it. */
#include "fuzz.h"

#include <backends/qemu/acpi.h>
#include <string.h>
#include <spi/bytes.h>

#define AT ((guint64) 0xe0000)
#define LOW ((guint64) 0x120000)

typedef struct {
	const uint8_t *data;
	size_t len;
} Memory;

/* Zeros behind the input. */
static gboolean
read_memory(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	const Memory *memory = user;

	if (!vmifs_in_bounds(pa, len, LOW))
		return FALSE;
	memset(buf, 0, len);
	if (pa >= AT && pa - AT < memory->len)
		memcpy(buf, memory->data + (pa - AT), MIN(len, memory->len - (pa - AT)));
	return TRUE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	Memory memory = { data, len };
	guint64 found = qemu_acpi_find(read_memory, &memory, LOW);

	g_assert(!found || (found >= AT && found < LOW));
	return 0;
}
