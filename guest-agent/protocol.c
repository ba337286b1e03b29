#include "guest-agent/protocol.h"
typedef int protocol_translation_unit;
