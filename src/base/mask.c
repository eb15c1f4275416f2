#include "tidewheel/mask.h"

void mask_logins(const char *text, struct buf *ret)
{
    const char *scheme_end = NULL;
    while ((scheme_end = strstr(text, "://")) != NULL) {
        const char *login = scheme_end + 3;
        const char *at = memrchr(login, '@', strcspn(login, " \t\r\n"));
        buf_add(ret, text, (size_t)(login - text));
        if (at != NULL)
            buf_add_text(ret, MASK);
        text = at != NULL ? at : login;
    }
    buf_add_text(ret, text);
}
