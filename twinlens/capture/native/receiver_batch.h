/* Moves packets from a socket to their places, as many as possible per system call and without copying. */
#ifndef TWINLENS_RECEIVER_BATCH_H
#define TWINLENS_RECEIVER_BATCH_H

#include <netinet/in.h>

#include "assembly.h"

struct batch;

/* For packets of at most `packet_size` bytes as SCPS counts. NULL when memory is short. */
struct batch *batch_new(uint32_t packet_size);
void batch_free(struct batch *);

/* Takes what one system call gives and feeds it to the assembly; packets that do not come from `camera` are counted
 * and dropped. True when there may be more; `*any` is set when something came. */
bool batch_receive(struct batch *, int socket, struct in_addr camera, struct assembly *, bool *any);

#endif
