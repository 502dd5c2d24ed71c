/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The machine of call frame programs (DWARF 5, 6.4.2), for the three registers that matter to who only wants
 * return addresses: rbp, rsp and the return address. Each step of the location closes a row, whose state
 * becomes a rule in 64 bits; states of equal meaning become equal bits. What rules cannot say becomes
 * PP_CFA_UNSUPPORTED (CFA, return address, a caller's rsp that is not the CFA) or PP_FP_UNKNOWN (rbp).
 */
#include "cfi_parts.h"

#include <errno.h>
#include <limits.h>

#include "cfi_numbers.h"
#include "pp/base/cleanup.h"

#define REG_FP 6
#define REG_SP 7
#define REG_RA 16

/* ucontext of an rt_sigreturn frame, from rsp: uc_mcontext.gregs[REG_RSP], [REG_RIP]. */
#define UCONTEXT_RSP 160
#define UCONTEXT_RIP 168

struct machine {
	const struct cfi_cie *cie;
	struct cfi_bytes in;
	uint64_t vaddr_of_in; /* what turns in.at into a vaddr (modulo 2^64) */
	uint64_t loc;
	struct cfi_state state;
	uint32_t remembered_cnt;
	struct cfi_state remembered[CFI_REMEMBERED_MAX];
};

static bool is_multiple_of_8(int64_t n)
{
	return (n & 7) == 0;
}

static bool fits_small(int64_t n)
{
	return is_multiple_of_8(n) && n / 8 <= PP_RULE_SMALL_MAX && n / 8 >= -PP_RULE_SMALL_MAX - 1;
}

static uint64_t small_bits(int64_t n, uint32_t shift)
{
	return ((uint64_t)(n / 8) & 0xfff) << shift;
}

/* A place named by a register is named by the CFA where that is the same register. */
static struct cfi_saved by_cfa(struct cfi_saved saved, const struct cfi_value *cfa)
{
	int64_t off;

	if (saved.how == CFI_AT_REG && cfa->form == PP_CFA_REG && saved.reg == cfa->reg &&
	    !__builtin_sub_overflow(saved.off, cfa->off, &off))
		return (struct cfi_saved){ .how = CFI_AT_CFA, .off = off };
	return saved;
}

static uint64_t fp_bits(const struct cfi_state *self)
{
	struct cfi_saved fp = by_cfa(self->fp, &self->cfa);
	uint64_t form = PP_FP_UNKNOWN;

	if (fp.how == CFI_SAME)
		return 0;
	if (fits_small(fp.off)) {
		if (fp.how == CFI_AT_CFA)
			form = PP_FP_AT_CFA;
		else if (fp.how == CFI_AT_REG && fp.reg == REG_FP)
			form = PP_FP_AT_FP;
	}
	return form << 8 | (form == PP_FP_UNKNOWN ? 0 : small_bits(fp.off, 16));
}

/* False: not to be said. */
static bool ra_bits(const struct cfi_state *self, uint64_t *ret_bits)
{
	struct cfi_saved ra = by_cfa(self->ra, &self->cfa);

	switch (ra.how) {
	case CFI_AT_CFA:
		if (ra.off == -8) {
			*ret_bits = 0;
			return true;
		}
		/* the parameter has another meaning in the other forms */
		if (self->cfa.form != PP_CFA_REG || !fits_small(ra.off))
			return false;
		*ret_bits = (uint64_t)PP_RA_AT_CFA_PARAM << 10 | small_bits(ra.off, 28);
		return true;
	case CFI_IN_REG:
		*ret_bits = (uint64_t)PP_RA_IN_REG << 10 | (uint64_t)ra.reg << 12;
		return true;
	default: return false;
	}
}

static bool cfa_bits(const struct cfi_value *cfa, uint64_t *ret_bits)
{
	uint64_t param = 0;

	switch (cfa->form) {
	case PP_CFA_REG: break;
	case PP_CFA_DEREF:
		if (!fits_small(cfa->param))
			return false;
		param = small_bits(cfa->param, 28);
		break;
	case PP_CFA_PLT: param = (uint64_t)cfa->param << 28; break;
	default: return false;
	}
	if (cfa->off > PP_RULE_CFA_MAX || cfa->off < -PP_RULE_CFA_MAX - 1)
		return false;
	*ret_bits = cfa->form | (uint64_t)cfa->reg << 4 | param | (uint64_t)cfa->off << 40;
	return true;
}

static bool is_sigreturn(const struct cfi_state *self)
{
	const struct cfi_value *cfa = &self->cfa;
	const struct cfi_saved *ra = &self->ra;

	return cfa->form == PP_CFA_DEREF && cfa->reg == REG_SP && cfa->off == UCONTEXT_RSP &&
	       cfa->param == 0 && ra->how == CFI_AT_REG && ra->reg == REG_SP &&
	       ra->off == UCONTEXT_RIP;
}

uint64_t cfi_state__rule(const struct cfi_state *self, bool is_signal)
{
	uint64_t cfa, ra;

	if (self->ra.how == CFI_UNDEFINED)
		return PP_CFA_END;
	if (is_signal)
		return is_sigreturn(self) ? PP_CFA_SIGNAL : PP_CFA_UNSUPPORTED;
	if (self->sp.how != CFI_SAME || !cfa_bits(&self->cfa, &cfa) || !ra_bits(self, &ra))
		return PP_CFA_UNSUPPORTED;
	return cfa | ra | fp_bits(self);
}

static struct cfi_saved *saved_of(struct cfi_state *self, uint64_t reg)
{
	switch (reg) {
	case REG_FP: return &self->fp;
	case REG_SP: return &self->sp;
	case REG_RA: return &self->ra;
	default: return NULL;
	}
}

static void save(struct machine *self, uint64_t reg, uint8_t how, int64_t off)
{
	struct cfi_saved *saved = saved_of(&self->state, reg);

	if (saved)
		*saved = (struct cfi_saved){ .how = how, .off = off };
}

static void save_scaled(struct machine *self, uint64_t reg, int64_t n)
{
	int64_t off;

	if (__builtin_mul_overflow(n, self->cie->data_align, &off))
		self->in.is_bad = true;
	else
		save(self, reg, CFI_AT_CFA, off);
}

/* val_offset: the caller's value is CFA + n. For rsp and 0 that is what rules mean anyway. */
static void save_value(struct machine *self, uint64_t reg, int64_t n)
{
	save(self, reg, reg == REG_SP && n == 0 ? CFI_SAME : CFI_OTHER, 0);
}

static void save_in_register(struct machine *self, uint64_t reg, uint64_t in_reg)
{
	struct cfi_saved *saved = saved_of(&self->state, reg);

	if (saved)
		*saved = (struct cfi_saved){ .how = in_reg < REG_RA ? CFI_IN_REG : CFI_OTHER,
					     .reg = (uint8_t)(in_reg & 15) };
}

static void restore(struct machine *self, uint64_t reg)
{
	struct cfi_saved *saved = saved_of(&self->state, reg);

	if (saved)
		*saved = *saved_of((struct cfi_state *)&self->cie->initial, reg);
}

static void set_cfa(struct machine *self, uint64_t reg, int64_t off)
{
	self->state.def_off = off;
	self->state.cfa_is_expr = false;
	self->state.cfa =
		(struct cfi_value){ .form = reg < REG_RA ? PP_CFA_REG : PP_CFA_UNSUPPORTED,
				    .reg = (uint8_t)(reg & 15),
				    .off = off };
}

/* As libgcc does: after an expression it changes only what def_cfa_register will use. */
static void set_cfa_off(struct machine *self, int64_t off)
{
	if (!self->state.cfa_is_expr)
		self->state.cfa.off = off;
	self->state.def_off = off;
}

static int64_t unsigned_off(struct machine *self)
{
	uint64_t off = cfi_bytes__uleb(&self->in);

	if (off > INT64_MAX)
		self->in.is_bad = true;
	return (int64_t)off;
}

static int64_t scaled_off(struct machine *self)
{
	int64_t off;

	if (__builtin_mul_overflow(cfi_bytes__sleb(&self->in), self->cie->data_align, &off)) {
		self->in.is_bad = true;
		return 0;
	}
	return off;
}

static void run_cfa_op(struct machine *self, uint8_t op)
{
	struct cfi_bytes *in = &self->in;
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = cfi_bytes__uleb(in);
		set_cfa(self, reg, unsigned_off(self));
		break;
	case DW_CFA_def_cfa_sf:
		reg = cfi_bytes__uleb(in);
		set_cfa(self, reg, scaled_off(self));
		break;
	case DW_CFA_def_cfa_register:
		set_cfa(self, cfi_bytes__uleb(in), self->state.def_off);
		break;
	case DW_CFA_def_cfa_offset: set_cfa_off(self, unsigned_off(self)); break;
	case DW_CFA_def_cfa_offset_sf: set_cfa_off(self, scaled_off(self)); break;
	default:
		cfi_expr__value(cfi_bytes__block(in), &self->state.cfa);
		self->state.cfa_is_expr = true;
		break;
	}
}

static void run_register_op(struct machine *self, uint8_t op)
{
	struct cfi_bytes *in = &self->in;
	uint64_t reg = cfi_bytes__uleb(in);
	struct cfi_saved *saved = saved_of(&self->state, reg), place;

	switch (op) {
	case DW_CFA_offset_extended: save_scaled(self, reg, unsigned_off(self)); break;
	case DW_CFA_offset_extended_sf: save(self, reg, CFI_AT_CFA, scaled_off(self)); break;
	case DW_CFA_GNU_negative_offset_extended:
		save_scaled(self, reg, -unsigned_off(self));
		break;
	case DW_CFA_val_offset: save_value(self, reg, unsigned_off(self)); break;
	case DW_CFA_val_offset_sf: save_value(self, reg, scaled_off(self)); break;
	case DW_CFA_restore_extended: restore(self, reg); break;
	case DW_CFA_undefined: save(self, reg, CFI_UNDEFINED, 0); break;
	case DW_CFA_same_value: save(self, reg, reg == REG_FP ? CFI_SAME : CFI_OTHER, 0); break;
	case DW_CFA_register: save_in_register(self, reg, cfi_bytes__uleb(in)); break;
	case DW_CFA_val_expression:
		(void)cfi_bytes__block(in);
		save(self, reg, CFI_OTHER, 0);
		break;
	default: /* DW_CFA_expression */
		cfi_expr__place(cfi_bytes__block(in), &place);
		if (saved)
			*saved = place;
		break;
	}
}

static void remember(struct machine *self)
{
	if (self->remembered_cnt == CFI_REMEMBERED_MAX)
		self->in.is_bad = true;
	else
		self->remembered[self->remembered_cnt++] = self->state;
}

static void recall(struct machine *self)
{
	if (self->remembered_cnt == 0)
		self->in.is_bad = true;
	else
		self->state = self->remembered[--self->remembered_cnt];
}

/* All that neither move the location nor have their operand in the opcode. */
static void run_op(struct machine *self, uint8_t op)
{
	switch (op) {
	case DW_CFA_nop: break;
	case DW_CFA_remember_state: remember(self); break;
	case DW_CFA_restore_state: recall(self); break;
	case DW_CFA_GNU_args_size: (void)cfi_bytes__uleb(&self->in); break;
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_def_cfa_expression: run_cfa_op(self, op); break;
	case DW_CFA_offset_extended:
	case DW_CFA_restore_extended:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_register:
	case DW_CFA_expression:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_val_expression:
	case DW_CFA_GNU_negative_offset_extended: run_register_op(self, op); break;
	/* signed return addresses of another machine: whatever it means, it is not at CFA - 8 */
	case DW_CFA_AARCH64_negate_ra_state_with_pc:
	case DW_CFA_GNU_window_save: save(self, REG_RA, CFI_OTHER, 0); break;
	default: self->in.is_bad = true;
	}
}

/* Where the location goes: true with the new one if op moves it. */
static bool read_advance(struct machine *self, uint8_t op, uint64_t *ret_loc)
{
	uint64_t delta, bytes;

	if ((op & 0xc0) == DW_CFA_advance_loc) {
		delta = op & 0x3f;
	} else {
		switch (op) {
		case DW_CFA_advance_loc1: bytes = 1; break;
		case DW_CFA_advance_loc2: bytes = 2; break;
		case DW_CFA_advance_loc4: bytes = 4; break;
		case DW_CFA_MIPS_advance_loc8: bytes = 8; break;
		case DW_CFA_set_loc:
			*ret_loc = cfi_bytes__encoded(&self->in, self->cie->fde_encoding,
						      self->vaddr_of_in + (uintptr_t)self->in.at,
						      CFI_NO_DATA);
			if (*ret_loc < self->loc)
				self->in.is_bad = true;
			return true;
		default: return false;
		}
		delta = cfi_bytes__fixed(&self->in, (uint32_t)bytes);
	}
	/* far beyond is as good as at the end */
	if (__builtin_mul_overflow(delta, self->cie->code_align, &delta) ||
	    __builtin_add_overflow(self->loc, delta, ret_loc))
		*ret_loc = UINT64_MAX;
	return true;
}

static int close_row(struct machine *self, uint64_t end_vaddr, struct cfi_out *out)
{
	return cfi_out__row(out, self->loc, end_vaddr,
			    cfi_state__rule(&self->state, self->cie->is_signal));
}

/* Rows up to limit_vaddr; bytes behind it are not looked at. */
static int run_rows(struct machine *self, uint64_t limit_vaddr, struct cfi_out *out)
{
	uint64_t next;
	int stop;

	while (self->in.at < self->in.end) {
		uint8_t op = *self->in.at++;

		if ((op & 0xc0) == DW_CFA_offset) {
			save_scaled(self, op & 0x3f, unsigned_off(self));
		} else if ((op & 0xc0) == DW_CFA_restore) {
			restore(self, op & 0x3f);
		} else if (read_advance(self, op, &next)) {
			if (self->in.is_bad)
				return 0;
			if (next == self->loc)
				continue;
			stop = close_row(self, min_of(next, limit_vaddr), out);
			self->loc = next;
			if (stop || next >= limit_vaddr)
				return stop;
		} else {
			run_op(self, op);
		}
		if (self->in.is_bad)
			return 0;
	}
	return close_row(self, limit_vaddr, out);
}

int cfi_fde__run(const struct cfi_fde *self, uint64_t limit_vaddr, struct cfi_out *out,
		 int *ret_stop)
{
	struct machine machine;

	machine.cie = self->cie;
	machine.in = self->program;
	machine.vaddr_of_in = self->program_vaddr - (uintptr_t)self->program.at;
	machine.loc = self->vaddr;
	machine.state = self->cie->initial;
	machine.remembered_cnt = 0;
	*ret_stop = run_rows(&machine, limit_vaddr, out);
	return machine.in.is_bad ? -EBADMSG : 0;
}

int cfi_cie__run(struct cfi_cie *self, struct cfi_bytes program)
{
	struct machine machine = { .cie = self, .in = program };

	/* until a program says where it is, the return address is not known */
	self->initial = (struct cfi_state){ .cfa.form = PP_CFA_UNSUPPORTED };
	machine.state = self->initial;
	while (machine.in.at < machine.in.end && !machine.in.is_bad) {
		uint8_t op = *machine.in.at++;

		if ((op & 0xc0) == DW_CFA_offset)
			save_scaled(&machine, op & 0x3f, unsigned_off(&machine));
		else if ((op & 0xc0) == DW_CFA_restore)
			restore(&machine, op & 0x3f);
		else
			run_op(&machine, op); /* refuses advances */
	}
	self->initial = machine.state;
	return machine.in.is_bad ? -EBADMSG : 0;
}
