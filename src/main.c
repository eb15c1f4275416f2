#include <stdio.h>

int main(void)
{
    (void)fprintf(stderr, "tidewheel: not built yet\n");
    return 70;
}
