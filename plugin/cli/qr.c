/*
 * QR codes by libqrencode, PNG by libpng. See qr.h.
 */
#include "cli/qr.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Modules of quiet zone: four on paper, as the standard asks; two at a terminal, which scanners
 * read as well and which lets a usual code fit into 80 columns. Pixels a module in a file: a
 * code of 100 modules is then 9 cm wide when printed at 300 dpi. */
enum { QUIET_PAPER = 4, QUIET_TERMINAL = 2, PIXELS = 10 };

static QRcode *encode(const char *text, relais_error *err)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

    if (code == NULL)
        relais_error_set(err, RELAIS_ERR_LIMIT, "the text is too long for a QR code");
    return code;
}

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return (code->data[y * code->width + x] & 1) != 0;
}

int relais_qr_columns(const char *text)
{
    QRcode *code = encode(text, NULL);
    int columns = code == NULL ? 0 : code->width + 2 * QUIET_TERMINAL;

    QRcode_free(code);
    return columns;
}

/* A character is two modules, one above the other; what is light is drawn. */
static const char *half_block(bool is_upper_light, bool is_lower_light)
{
    if (is_upper_light)
        return is_lower_light ? "\u2588" : "\u2580";
    return is_lower_light ? "\u2584" : " ";
}

bool relais_qr_print(const char *text, bool has_colours, FILE *out, relais_error *err)
{
    QRcode *code = encode(text, err);
    int end;

    if (code == NULL)
        return false;
    end = code->width + QUIET_TERMINAL;
    for (int y = -QUIET_TERMINAL; y < end; y += 2) {
        if (has_colours)
            fputs("\x1b[97;40m", out);
        for (int x = -QUIET_TERMINAL; x < end; x++)
            fputs(half_block(!is_dark(code, x, y), y + 1 < end && !is_dark(code, x, y + 1)), out);
        fputs(has_colours ? "\x1b[0m\n" : "\n", out);
    }
    QRcode_free(code);
    return true;
}

/* One byte a pixel, 0 is black. */
static unsigned char *draw(const QRcode *code, int side)
{
    unsigned char *pixels = malloc((size_t)side * (size_t)side);

    for (int y = 0; pixels != NULL && y < side; y++)
        for (int x = 0; x < side; x++)
            pixels[(size_t)y * (size_t)side + (size_t)x] =
                is_dark(code, x / PIXELS - QUIET_PAPER, y / PIXELS - QUIET_PAPER) ? 0 : 255;
    return pixels;
}

static bool write_png(const unsigned char *pixels, int side, FILE *stream, const char *file,
                      relais_error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)side,
                       .height = (png_uint_32)side,
                       .format = PNG_FORMAT_GRAY};

    if (png_image_write_to_stdio(&image, stream, 0, pixels, 0, NULL) != 0)
        return true;
    relais_error_set(err, RELAIS_ERR_SYSTEM, "the picture cannot be written");
    relais_error_at(err, file, 0);
    return false;
}

bool relais_qr_png(const char *text, const char *file, relais_error *err)
{
    QRcode *code = encode(text, err);
    int side = code == NULL ? 0 : (code->width + 2 * QUIET_PAPER) * PIXELS;
    unsigned char *pixels = code == NULL ? NULL : draw(code, side);
    FILE *stream = NULL;
    bool ok = false;
    int fd;

    if (code == NULL)
        return false;
    if (pixels == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        goto done;
    }
    fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    stream = fd < 0 ? NULL : fdopen(fd, "wb");
    if (stream == NULL) {
        relais_error_system(err, errno, file, "the picture cannot be written");
        if (fd >= 0)
            close(fd);
        goto done;
    }
    ok = write_png(pixels, side, stream, file, err);
    if (fclose(stream) != 0 && ok)
        ok = relais_error_system(err, errno, file, "the picture cannot be written");

done:
    free(pixels);
    QRcode_free(code);
    return ok;
}
