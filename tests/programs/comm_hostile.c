/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A thread whose name is hostile to text formats, pages and terminals: comm_hostile [MS [I]]. It wears
 * each name in turn for an equal share of the time (or only name I); its stack is _start;run;wear_name.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

static const char *const names[] = {
	"semi;colon",
	"new\nline",
	"#comment",
	"</script>",
	"<img onerror=x>",
	"line\xe2\x80\xa8sep",
	"bidi\xe2\x80\xae"
	"txt",
	"not\xff\xfeutf8",
	" blanks ",
	"ends in 5",
	"tab\tesc\x1b[31m",
	"swapper/0",
	"\xe2\x80",
};

FRAME void wear_name(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms)
		spin(5);
}

int run(int argc, char **argv, char **envp)
{
	unsigned long cnt = sizeof(names) / sizeof(names[0]);
	unsigned long ms = number_arg(argc, argv, 1, 5000);
	unsigned long only = number_arg(argc, argv, 2, cnt);

	(void)envp;
	for (unsigned long i = 0; i < cnt; i++) {
		if (only < cnt && i != only)
			continue;
		sys(SYS_prctl, 15, (word)names[i], 0, 0, 0, 0);
		wear_name(now_ms() + (only < cnt ? ms : ms / cnt));
	}
	return 0;
}
