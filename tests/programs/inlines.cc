// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Functions that compilers inline into each other, and one that sorts: inlines MILLISECONDS. Needs a C++ library.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#define ALWAYS inline __attribute__((always_inline))
#define NEVER __attribute__((noinline))

static volatile unsigned long sink;

static ALWAYS unsigned long mix(unsigned long x)
{
	for (int i = 0; i < 50; i++)
		x = x * 6364136223846793005ul + 1442695040888963407ul;
	return x;
}

namespace work
{
struct box {
	unsigned long value;

	ALWAYS void step()
	{
		value = mix(value);
		sink = value;
	}
};

NEVER void steps(box &b)
{
	for (int i = 0; i < 1000; i++)
		b.step();
}

NEVER void sorted(std::vector<unsigned long> &row, unsigned long seed)
{
	for (auto &x : row)
		x = mix(x + seed);
	std::sort(row.begin(), row.end());
}
} // namespace work

int main(int argc, char **argv)
{
	const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(argc > 1 ? atol(argv[1]) : 1000);
	std::vector<unsigned long> row(1000);
	work::box b = { 1 };

	while (std::chrono::steady_clock::now() < end) {
		work::steps(b);
		work::sorted(row, b.value);
	}
	return (int)(sink & 1);
}
