/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Symbols of errors, and the end of the program when one of our own invariants is broken. The
 * table is ours because glibc's strerrorname_np knows neither the leading minus of our messages
 * nor the kernel's private ENOTSUPP, which bpf(2) lets out.
 */
#include "pp/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pp/base/cleanup.h"
#include "pp/base/log.h"

#define KERNEL_ENOTSUPP 524 /* include/linux/errno.h, not in the user API */

#define E(name)		[name] = "-" #name
static const char *const names[] = { E(EPERM),
				     E(ENOENT),
				     E(ESRCH),
				     E(EINTR),
				     E(EIO),
				     E(ENXIO),
				     E(E2BIG),
				     E(ENOEXEC),
				     E(EBADF),
				     E(ECHILD),
				     E(EAGAIN),
				     E(ENOMEM),
				     E(EACCES),
				     E(EFAULT),
				     E(ENOTBLK),
				     E(EBUSY),
				     E(EEXIST),
				     E(EXDEV),
				     E(ENODEV),
				     E(ENOTDIR),
				     E(EISDIR),
				     E(EINVAL),
				     E(ENFILE),
				     E(EMFILE),
				     E(ENOTTY),
				     E(ETXTBSY),
				     E(EFBIG),
				     E(ENOSPC),
				     E(ESPIPE),
				     E(EROFS),
				     E(EMLINK),
				     E(EPIPE),
				     E(EDOM),
				     E(ERANGE),
				     E(EDEADLK),
				     E(ENAMETOOLONG),
				     E(ENOLCK),
				     E(ENOSYS),
				     E(ENOTEMPTY),
				     E(ELOOP),
				     E(ENOMSG),
				     E(EIDRM),
				     E(ECHRNG),
				     E(EL2NSYNC),
				     E(EL3HLT),
				     E(EL3RST),
				     E(ELNRNG),
				     E(EUNATCH),
				     E(ENOCSI),
				     E(EL2HLT),
				     E(EBADE),
				     E(EBADR),
				     E(EXFULL),
				     E(ENOANO),
				     E(EBADRQC),
				     E(EBADSLT),
				     E(EBFONT),
				     E(ENOSTR),
				     E(ENODATA),
				     E(ETIME),
				     E(ENOSR),
				     E(ENONET),
				     E(ENOPKG),
				     E(EREMOTE),
				     E(ENOLINK),
				     E(EADV),
				     E(ESRMNT),
				     E(ECOMM),
				     E(EPROTO),
				     E(EMULTIHOP),
				     E(EDOTDOT),
				     E(EBADMSG),
				     E(EOVERFLOW),
				     E(ENOTUNIQ),
				     E(EBADFD),
				     E(EREMCHG),
				     E(ELIBACC),
				     E(ELIBBAD),
				     E(ELIBSCN),
				     E(ELIBMAX),
				     E(ELIBEXEC),
				     E(EILSEQ),
				     E(ERESTART),
				     E(ESTRPIPE),
				     E(EUSERS),
				     E(ENOTSOCK),
				     E(EDESTADDRREQ),
				     E(EMSGSIZE),
				     E(EPROTOTYPE),
				     E(ENOPROTOOPT),
				     E(EPROTONOSUPPORT),
				     E(ESOCKTNOSUPPORT),
				     E(EOPNOTSUPP),
				     E(EPFNOSUPPORT),
				     E(EAFNOSUPPORT),
				     E(EADDRINUSE),
				     E(EADDRNOTAVAIL),
				     E(ENETDOWN),
				     E(ENETUNREACH),
				     E(ENETRESET),
				     E(ECONNABORTED),
				     E(ECONNRESET),
				     E(ENOBUFS),
				     E(EISCONN),
				     E(ENOTCONN),
				     E(ESHUTDOWN),
				     E(ETOOMANYREFS),
				     E(ETIMEDOUT),
				     E(ECONNREFUSED),
				     E(EHOSTDOWN),
				     E(EHOSTUNREACH),
				     E(EALREADY),
				     E(EINPROGRESS),
				     E(ESTALE),
				     E(EUCLEAN),
				     E(ENOTNAM),
				     E(ENAVAIL),
				     E(EISNAM),
				     E(EREMOTEIO),
				     E(EDQUOT),
				     E(ENOMEDIUM),
				     E(EMEDIUMTYPE),
				     E(ECANCELED),
				     E(ENOKEY),
				     E(EKEYEXPIRED),
				     E(EKEYREVOKED),
				     E(EKEYREJECTED),
				     E(EOWNERDEAD),
				     E(ENOTRECOVERABLE),
				     E(ERFKILL),
				     E(EHWPOISON) };
#undef E

const char *errname(int err)
{
	static __thread char text[16];
	unsigned int n = err < 0 ? -(unsigned int)err : (unsigned int)err;

	if (n == 0)
		return "0";
	if (n < ARRAY_SIZE(names) && names[n])
		return names[n];
	if (n == KERNEL_ENOTSUPP)
		return "-ENOTSUPP";
	snprintf(text, sizeof(text), "-E%u", n);
	return text;
}

void assert_failed(const char *expr, const char *file, int line)
{
	log_error("assert: '%s' is not true at %s:%d", expr, file, line);
	abort();
}
