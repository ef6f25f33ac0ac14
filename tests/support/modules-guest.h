/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modules-guest: the structures of a guest's modules, as linux_guest_init() has them. */
#pragma once

#define COMMON_TYPES                                                                               \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct mod_kallsyms 32 symtab@0:8 num_symtab@8:4 strtab@16:8 typetab@24:8\n"              \
	"struct module_use 48 source_list@0=list_head source@32:8\n"                               \
	"struct kernel_symbol 12 value_offset@0:4 name_offset@4:4\n"                               \
	"struct module_layout 16 base@0:8 size@8:4\n"                                              \
	"struct module_memory 16 base@0:8 size@8:4\n"

#define MODULE_TYPES                                                                               \
	"state@0:4 list@8=list_head name@24:1x56 syms@80:8 num_syms@88:4 taints@96:8 "             \
	"kallsyms@104:8 source_list@112=list_head init@128:8 exit@136:8 refcnt@144:4 "

/* Two areas until 6.4, seven since. */
#define OLD_TYPES                                                                                  \
	COMMON_TYPES "struct module 320 " MODULE_TYPES                                             \
		     "core_layout@160=module_layout init_layout@176=module_layout\n"
#define NEW_TYPES COMMON_TYPES "struct module 320 " MODULE_TYPES "mem@160=module_memoryx7\n"
