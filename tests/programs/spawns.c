/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that spawns all the time what does not exist: spawns [CPU_MS]. The child borrows its memory and has a
 * stack of its own.
 */
/* STACK: MAIN spawn_once @libc* */
/* STACK: @libc @libc+ */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

#include <spawn.h>
#include <sys/wait.h>

FRAME static void spawn_once(void)
{
	char *const args[] = { "nothing", NULL };
	pid_t pid;

	if (!posix_spawn(&pid, "/proc/nothing", NULL, NULL, args, args))
		waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (goes_on_with_children())
		spawn_once();
	return 0;
}
