/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hand-written assembly of the C library and of libcrypto, whose frames have shapes of their own:
 * assembly [CPU_MS].
 */
/* STACK: MAIN (@libc|@ld|@libcrypto)* */
/* STACK: MAIN in_memory in_memory_down{3} @libc? */
/* libcrypto prepares itself inside of pthread_once. */
/* STACK: MAIN (in_digest|in_cipher) (@libcrypto|@libc)* */
/* STACK: _start @libc+ @libcrypto+ @libc* */
/* PROGRAM_CFLAGS: -O2 -fno-builtin */
/* PROGRAM_LDFLAGS: -ldl */
#include "known.h"

#include <dlfcn.h>

static int (*digest)(const void *data, size_t len, unsigned char *ret, unsigned *ret_len,
		     const void *type, void *engine);
static void *(*cipher_new)(void);
static void (*cipher_free)(void *ctx);
static int (*encrypt_init)(void *ctx, const void *type, void *engine, const unsigned char *key,
			   const unsigned char *iv);
static int (*encrypt)(void *ctx, unsigned char *ret, int *ret_len, const unsigned char *in,
		      int len);
typedef const void *(*type_fn)(void);

static char input[65536], output[65536 + 64];

FRAME static void in_memory_down(int depth)
{
	volatile size_t len;

	if (depth) {
		in_memory_down(depth - 1);
	} else {
		memcpy(output, input, sizeof(input));
		memset(output, 'x', sizeof(input) - 1);
		len = strlen(output);
		len += memchr(output, 'y', sizeof(output)) != NULL;
		len += (size_t)memcmp(output, input, sizeof(input));
	}
	NOT_A_TAIL_CALL();
}

FRAME static void in_memory(void)
{
	for (int i = 0; i < 10; i++)
		in_memory_down(2);
}

FRAME static void in_digest(const void *type)
{
	unsigned char sum[64];
	unsigned len;

	digest(input, 16384, sum, &len, type, NULL);
	NOT_A_TAIL_CALL();
}

FRAME static void in_cipher(const void *type)
{
	static const unsigned char key[64] = "a key of thirty-two or more bytes, never repeated";
	void *ctx = cipher_new();
	int len;

	encrypt_init(ctx, type, NULL, key, key);
	for (int i = 0; i < 4; i++)
		encrypt(ctx, (unsigned char *)output, &len, (const unsigned char *)input, 16384);
	cipher_free(ctx);
}

int main(int argc, char **argv)
{
	static const char *const digests[] = { "EVP_md5", "EVP_sha1", "EVP_sha256", "EVP_sha512",
					       "EVP_sha3_256" };
	static const char *const ciphers[] = { "EVP_aes_256_cbc",      "EVP_aes_256_ctr",
					       "EVP_aes_256_gcm",      "EVP_chacha20_poly1305",
					       "EVP_camellia_256_cbc", "EVP_aes_256_xts" };
	void *library = dlopen("libcrypto.so.3", RTLD_NOW);

	begin(argc, argv);
	if (!library)
		return 1;
	*(void **)&digest = dlsym(library, "EVP_Digest");
	*(void **)&cipher_new = dlsym(library, "EVP_CIPHER_CTX_new");
	*(void **)&cipher_free = dlsym(library, "EVP_CIPHER_CTX_free");
	*(void **)&encrypt_init = dlsym(library, "EVP_EncryptInit_ex");
	*(void **)&encrypt = dlsym(library, "EVP_EncryptUpdate");
	while (goes_on()) {
		in_memory();
		for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
			in_digest(((type_fn)dlsym(library, digests[i]))());
		for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
			in_cipher(((type_fn)dlsym(library, ciphers[i]))());
	}
	return 0;
}
