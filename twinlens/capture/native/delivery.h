/* How open blocks are closed; between the two halves of the assembly. */
#ifndef TWINLENS_DELIVERY_H
#define TWINLENS_DELIVERY_H

#include "assembly.h"

/* Delivers the `count` oldest blocks as they are; one that the client cut short counts as no loss. */
void assembly_close_oldest(struct assembly *, uint32_t count, bool cut_short);

/* Delivers finished blocks. */
void assembly_close_finished(struct assembly *);

#endif
