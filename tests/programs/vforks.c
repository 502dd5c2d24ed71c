/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parents that wait in vfork while a child runs on their memory: vforks [CPU_MS].
 */
/* STACK: MAIN vfork_once @libc? */
/* STACK: MAIN vfork_once child (@libc|child_down burn) */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

#include <sys/wait.h>
#include <unistd.h>

FRAME static void child_down(void)
{
	for (int i = 0; i < 40; i++)
		burn();
}

FRAME static void child(void)
{
	child_down();
	NOT_A_TAIL_CALL();
	_exit(0);
}

FRAME static void vfork_once(void)
{
	pid_t pid = vfork();

	if (!pid)
		child();
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (goes_on_with_children())
		vfork_once();
	return 0;
}
