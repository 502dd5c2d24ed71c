// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What rustc makes of trait objects, closures that the standard library calls, and panics that are caught:
// rust_calls [CPU_MS]. See known.h; here @libc is also the program's own part of the standard library.

/* STACK: MAIN @libc* by_trait (trait_down @libc){8} burn */
/* STACK: MAIN @libc* by_sort @libc* compare burn */
/* STACK: MAIN @libc* (@vdso|@libgcc_s+)? */
/* STACK: MAIN @libc* by_panic (@libc|@libgcc_s|@ld|panics)* burn? */
use std::hint::black_box;

extern "C" {
    fn prctl(option: i32, text: *const u8) -> i32;
    fn clock() -> i64;
}

#[no_mangle]
#[inline(never)]
fn burn() {
    for i in 0..60000u64 {
        black_box(i);
    }
}

trait Step {
    fn down(&self, left: u32) -> u32;
}

struct Even(u32);
struct Odd(u64, u64);

#[no_mangle]
#[inline(never)]
fn trait_down(step: &dyn Step, left: u32) -> u32 {
    black_box(step.down(left)) + 1
}

impl Step for Even {
    #[inline(never)]
    fn down(&self, left: u32) -> u32 {
        if left == 0 {
            burn();
            return self.0;
        }
        black_box(trait_down(&Odd(1, 2), left - 1)) + 1
    }
}

impl Step for Odd {
    #[inline(never)]
    fn down(&self, left: u32) -> u32 {
        if left == 0 {
            burn();
            return self.0 as u32;
        }
        black_box(trait_down(&Even(3), left - 1)) + self.1 as u32
    }
}

#[no_mangle]
#[inline(never)]
fn by_trait() {
    black_box(trait_down(&Even(1), 7));
    black_box(());
}

#[no_mangle]
#[inline(never)]
fn compare(a: &u64, b: &u64) -> std::cmp::Ordering {
    burn();
    a.cmp(b)
}

#[no_mangle]
#[inline(never)]
fn by_sort() {
    let mut numbers = [7u64, 1, 5, 3, 6, 2];
    numbers.sort_by(|a, b| compare(a, b));
    black_box(numbers);
}

#[no_mangle]
#[inline(never)]
fn panics(left: u32) -> u32 {
    if left == 0 {
        burn();
        std::panic::resume_unwind(Box::new(1u32));
    }
    black_box(panics(left - 1)) + 1
}

#[no_mangle]
#[inline(never)]
fn by_panic() {
    black_box(std::panic::catch_unwind(|| panics(5)).is_err());
}

fn main() {
    let cpu_us: i64 = std::env::args().nth(1).map_or(10_000, |ms| ms.parse().unwrap()) * 1000;
    let mut is_steady = false;

    while unsafe { clock() } < cpu_us {
        if !is_steady && unsafe { clock() } > 200_000 {
            unsafe { prctl(15, b"rust_calls=\0".as_ptr()) };
            is_steady = true;
        }
        by_trait();
        by_sort();
        for _ in 0..3 {
            by_panic();
        }
    }
}
