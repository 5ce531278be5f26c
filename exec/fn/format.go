package fn

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// separators are how a language groups and points numbers. The table holds the
// values of CLDR for the languages that plants ask for; golang.org/x/text would
// bring tables of some hundred kilobytes for the same.
type separators struct {
	group, point string
	lakh         bool // groups of two above the thousands
}

const nbsp = "\u00a0"

var (
	commaPoint = separators{group: ",", point: "."}
	pointComma = separators{group: ".", point: ","}
	spaceComma = separators{group: nbsp, point: ","}
	quotePoint = separators{group: "’", point: "."}
	indian     = separators{group: ",", point: ".", lakh: true}
)

// byLocale has an entry for a language, and for a language in a country that
// differs from it.
var byLocale = map[string]separators{
	"en": commaPoint, "zh": commaPoint, "ja": commaPoint, "ko": commaPoint, "th": commaPoint, "he": commaPoint, "ms": commaPoint,
	"ga": commaPoint, "cy": commaPoint, "sw": commaPoint, "fil": commaPoint,
	"de": pointComma, "es": pointComma, "it": pointComma, "nl": pointComma, "pt": pointComma, "da": pointComma, "el": pointComma,
	"tr": pointComma, "id": pointComma, "vi": pointComma, "hr": pointComma, "sl": pointComma, "sr": pointComma, "bs": pointComma,
	"ro": pointComma, "is": pointComma, "ca": pointComma, "gl": pointComma, "eu": pointComma, "mk": pointComma,
	"fr": spaceComma, "ru": spaceComma, "uk": spaceComma, "be": spaceComma, "pl": spaceComma, "cs": spaceComma, "sk": spaceComma,
	"fi": spaceComma, "sv": spaceComma, "nb": spaceComma, "nn": spaceComma, "no": spaceComma, "hu": spaceComma, "bg": spaceComma,
	"et": spaceComma, "lv": spaceComma, "lt": spaceComma, "kk": spaceComma, "ka": spaceComma, "hy": spaceComma, "sq": spaceComma, "af": spaceComma,
	"hi": indian, "bn": indian, "ta": indian, "te": indian, "mr": indian, "gu": indian, "kn": indian, "ml": indian, "pa": indian,
	"en_IN": indian, "en_ZA": spaceComma, "de_CH": quotePoint, "de_LI": quotePoint, "de_AT": {group: nbsp, point: ","}, "it_CH": quotePoint,
	"es_MX": commaPoint, "es_US": commaPoint, "es_PE": commaPoint, "es_GT": commaPoint, "es_PR": commaPoint, "es_CR": spaceComma,
	"es_DO": commaPoint, "es_HN": commaPoint, "es_NI": commaPoint, "es_PA": commaPoint, "es_SV": commaPoint, "fr_LU": pointComma,
	"ar": commaPoint, "ar_DZ": pointComma, "ar_LB": pointComma, "ar_LY": pointComma, "ar_MA": pointComma, "ar_TN": pointComma,
	"mn": commaPoint, "ur": commaPoint, "fo": pointComma, "rm": quotePoint,
	"pt_PT": spaceComma, "nl_BE": pointComma, "en_CH": quotePoint,
}

// localeOf finds the separators of a name like de_DE or de-AT; an unknown country
// has those of its language.
func localeOf(name string) (separators, bool) {
	name = strings.ReplaceAll(name, "-", "_")
	if s, ok := byLocale[name]; ok {
		return s, true
	}
	lang, _, _ := strings.Cut(name, "_")
	s, ok := byLocale[strings.ToLower(lang)]
	return s, ok
}

const maxDecimals = 100

func formatRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	if err != nil && args[0].Kind == vec.String {
		x, err = strconv.ParseFloat(args[0].S, 64)
		if err != nil {
			err = Wrong("a number", args[0])
		}
	}
	if err != nil {
		return vec.Value{}, err
	}
	d, err := whole(args[1])
	if err == nil && (d < 0 || d > maxDecimals) {
		err = fmt.Errorf("cannot write a number with %d decimals", d)
	}
	if err != nil {
		return vec.Value{}, err
	}
	s := strconv.FormatFloat(x, 'f', int(d), 64)
	if i, ok := args[0].Whole(); ok && i != 0 { // of which a float may lose digits
		s = strconv.FormatInt(i, 10)
		if d > 0 {
			s += "." + strings.Repeat("0", int(d))
		}
	}
	if len(args) == 2 || math.IsInf(x, 0) || math.IsNaN(x) {
		return text(s)
	}
	sep, ok := localeOf(Text(args[2]))
	if !ok {
		return vec.Value{}, fmt.Errorf("unknown locale %q", Text(args[2]))
	}
	return text(sep.apply(s))
}

// apply writes the plain number s with separators.
func (sep separators) apply(s string) string {
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	digits, decimals, hasPoint := strings.Cut(s, ".")
	b := append(make([]byte, 0, 2*len(s)+4), sign...)
	for i := range digits {
		left := len(digits) - i
		if i > 0 && (left%3 == 0 && (!sep.lakh || left == 3) || sep.lakh && left > 3 && left%2 == 1) {
			b = append(b, sep.group...)
		}
		b = append(b, digits[i])
	}
	if hasPoint {
		b = append(append(b, sep.point...), decimals...)
	}
	return string(b)
}
