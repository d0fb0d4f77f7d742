# Writes the bytes of INPUT as a C array: cmake -DINPUT=... -DOUTPUT=... -P embed.cmake
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "((0x..,){16})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Made from transforms/mapping.rng by the build. */
#include \"transform/grammar.h\"

const unsigned char relais_grammar[] = {
${bytes}0};
const size_t relais_grammar_length = sizeof relais_grammar - 1;
")
