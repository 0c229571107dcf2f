/* The system module: this library, opened once. */
#ifndef TWINLENS_SYSTEM_H
#define TWINLENS_SYSTEM_H

#include "modules.h"

#define TRANSPORT "GEV"

#endif
