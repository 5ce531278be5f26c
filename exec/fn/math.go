package fn

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/weir-engine/weir/vec"
)

// oneNumber makes a function of one number whose results may be no number: null.
func oneNumber(signature, doc, example string, f func(float64) float64) *Func {
	return scalar("math", signature, doc, example, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		x, err := number(args[0])
		if err != nil {
			return vec.Value{}, err
		}
		return float(f(x))
	}).checked(literals(wantNumber)).vec(overNumbers(f))
}

// toWhole is oneNumber for a function that leaves whole numbers as they are.
func toWhole(signature, doc, example string, f func(float64) float64) *Func {
	fn := oneNumber(signature, doc, example, f)
	row := fn.Row
	fn.Row = func(c *Ctx, args []vec.Value) (vec.Value, error) {
		if i, ok := args[0].Whole(); ok && i != 0 {
			return vec.ExactValue(i), nil
		}
		return row(c, args)
	}
	return fn
}

// twoNumbers makes a function of two numbers.
func twoNumbers(signature, doc, example string, f func(a, b float64) (float64, error)) *Func {
	return scalar("math", signature, doc, example, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		a, err := number(args[0])
		if err != nil {
			return vec.Value{}, err
		}
		b, err := number(args[1])
		if err != nil {
			return vec.Value{}, err
		}
		r, err := f(a, b)
		return vec.FloatValue(r), err
	}).checked(literals(wantNumber))
}

// twoInts makes a function of two whole numbers.
func twoInts(signature, doc, example string, f func(a, b int64) int64) *Func {
	return scalar("math", signature, doc, example, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		a, err := whole(args[0])
		if err != nil {
			return vec.Value{}, err
		}
		b, err := whole(args[1])
		if err != nil {
			return vec.Value{}, err
		}
		return integer(f(a, b))
	}).checked(literals(wantInt))
}

func mathFuncs() []*Func {
	const group = "math"
	return []*Func{
		scalar(group, "abs(x)", "The absolute value of a number.", "abs(-1.5)", absRow).checked(literals(wantNumber)).vec(absVec),
		oneNumber("acos(x)", "The arc cosine in radians, null beyond -1 to 1.", "acos(1)", math.Acos),
		oneNumber("asin(x)", "The arc sine in radians, null beyond -1 to 1.", "asin(0)", math.Asin),
		oneNumber("atan(x)", "The arc tangent in radians.", "atan(0)", math.Atan),
		twoNumbers("atan2(y, x)", "The angle in radians between the x axis and the point (x, y).", "atan2(0, 1)",
			func(y, x float64) (float64, error) { return math.Atan2(y, x), nil }),
		twoInts("bitand(a, b)", "The bitwise AND of two whole numbers.", "bitand(12, 10)", func(a, b int64) int64 { return a & b }),
		twoInts("bitor(a, b)", "The bitwise OR of two whole numbers.", "bitor(12, 10)", func(a, b int64) int64 { return a | b }),
		twoInts("bitxor(a, b)", "The bitwise exclusive OR of two whole numbers.", "bitxor(6, 3)", func(a, b int64) int64 { return a ^ b }),
		scalar(group, "bitnot(a)", "The bitwise complement of a whole number.", "bitnot(5)", bitNot).checked(literals(wantInt)),
		toWhole("ceil(x)", "The smallest whole number that is not less.", "ceil(1.2)", math.Ceil).vec(ceilVec),
		toWhole("ceiling(x)", "The same as ceil.", "ceiling(-2.5)", math.Ceil).vec(ceilVec),
		scalar(group, "conv(n, from_base, to_base)", "A number in text, from one base (2 to 36) to another.", `conv("ff", 16, 10)`, convRow).
			checked(literals(anyLiteral, wantInt, wantInt)),
		oneNumber("cos(x)", "The cosine of an angle in radians.", "cos(0)", math.Cos),
		oneNumber("cosh(x)", "The hyperbolic cosine.", "cosh(0)", math.Cosh),
		scalar(group, "cot(x)", "The cotangent of an angle in radians.", "cot(1)", cotRow).checked(literals(wantNumber)),
		oneNumber("degrees(x)", "Radians as degrees.", "degrees(0)", func(x float64) float64 { return x * (180 / math.Pi) }),
		oneNumber("exp(x)", "The exponential, e to the power of x.", "exp(0)", math.Exp),
		toWhole("floor(x)", "The largest whole number that is not greater.", "floor(-2.5)", math.Floor).vec(floorVec),
		scalar(group, "ln(x)", "The natural logarithm; of a negative number an error.", "ln(1)", lnRow).
			checked(literals(wantNumber)).vec(lnVec),
		scalar(group, "log([base,] x)", "The logarithm to base 10, or to the base given.", "log(2, 8)", logRow).checked(literals(wantNumber)),
		twoNumbers("mod(a, b)", "The remainder of a division, with the sign of a.", "mod(7, 3)", modulo),
		scalar(group, "pi()", "The number pi.", "pi()", func(*Ctx, []vec.Value) (vec.Value, error) { return vec.FloatValue(math.Pi), nil }),
		twoNumbers("pow(x, y)", "x to the power of y.", "pow(2, 10)", power),
		twoNumbers("power(x, y)", "The same as pow.", "power(9, 0.5)", power),
		oneNumber("radians(x)", "Degrees as radians.", "radians(0)", func(x float64) float64 { return x * (math.Pi / 180) }),
		scalar(group, "rand()", "A random number from 0 up to, and without, 1.", "rand()", randRow).volatile(),
		scalar(group, "round(x [, digits])", "The nearest number with so many decimals (0), halves away from zero; negative digits round to tens, hundreds ...",
			"round(42.4382, 2)", roundRow).checked(literals(wantNumber)).kernels(roundKernel),
		scalar(group, "sign(x)", "-1, 0 or 1 as a number is negative, zero or positive.", "sign(-3.2)", signRow).checked(literals(wantNumber)).vec(signVec),
		oneNumber("sin(x)", "The sine of an angle in radians.", "sin(0)", math.Sin),
		oneNumber("sinh(x)", "The hyperbolic sine.", "sinh(0)", math.Sinh),
		scalar(group, "sqrt(x)", "The square root; of a negative number an error.", "sqrt(16)", sqrtRow).checked(literals(wantNumber)).vec(sqrtVec),
		oneNumber("tan(x)", "The tangent of an angle in radians.", "tan(0)", math.Tan),
		oneNumber("tanh(x)", "The hyperbolic tangent.", "tanh(0)", math.Tanh),
	}
}

func absRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	switch v := args[0]; v.Kind {
	case vec.Int64:
		return integer(max(v.I, -v.I))
	case vec.Float64:
		if v.I != 0 {
			return vec.ExactValue(max(v.I, -v.I)), nil
		}
		return vec.FloatValue(math.Abs(v.F)), nil
	}
	return vec.Value{}, Wrong("a number", args[0])
}

func bitNot(_ *Ctx, args []vec.Value) (vec.Value, error) {
	a, err := whole(args[0])
	return vec.IntValue(^a), err
}

func cotRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	if x == 0 {
		return vec.Value{}, fmt.Errorf("the cotangent of %v has no value", x)
	}
	return float(1 / math.Tan(x))
}

func lnRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	if err == nil && !(x >= 0) {
		err = fmt.Errorf("the logarithm of %v has no value", x)
	}
	if err != nil {
		return vec.Value{}, err
	}
	return vec.FloatValue(math.Log(x)), nil // of 0 it is below every number, and cannot be sent
}

func logRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[len(args)-1])
	if err != nil {
		return vec.Value{}, err
	}
	if !(x >= 0) {
		return vec.Value{}, fmt.Errorf("the logarithm of %v has no value", x)
	}
	if len(args) == 1 {
		return vec.FloatValue(math.Log10(x)), nil
	}
	base, err := number(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	if !(base > 0) || base == 1 {
		return vec.Value{}, fmt.Errorf("%v is no base of a logarithm", base)
	}
	return vec.FloatValue(math.Log(x) / math.Log(base)), nil
}

func modulo(a, b float64) (float64, error) {
	if b == 0 {
		return 0, errDivided
	}
	return math.Mod(a, b), nil
}

var errDivided = errors.New("divided by zero")

func power(x, y float64) (float64, error) {
	r := math.Pow(x, y)
	if math.IsNaN(r) {
		return 0, fmt.Errorf("%v to the power of %v has no value", x, y)
	}
	return r, nil
}

func randRow(c *Ctx, _ []vec.Value) (vec.Value, error) {
	if c.Rand == nil {
		return vec.Value{}, errors.New("no source of random numbers")
	}
	return vec.FloatValue(c.Rand.Float64()), nil
}

func roundRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	if err != nil || len(args) == 1 {
		if i, ok := args[0].Whole(); ok && i != 0 {
			return vec.ExactValue(i), nil
		}
		return vec.FloatValue(math.Round(x)), err
	}
	d, err := number(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	return vec.FloatValue(round(x, int(min(max(d, -400), 400)))), nil
}

// round returns x with digits decimals, halves away from zero.
func round(x float64, digits int) float64 {
	if digits == 0 {
		return math.Round(x)
	}
	factor := math.Pow(10, float64(digits))
	scaled := x * factor
	if math.IsInf(scaled, 0) || factor == 0 || math.IsInf(factor, 0) {
		return roundBig(x, digits)
	}
	return math.Round(scaled) / factor
}

// roundBig rounds what float64 cannot scale.
func roundBig(x float64, digits int) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) || digits > 0 {
		return x // such a number has no more decimals than these
	}
	if digits < -308 {
		return 0
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	n, _ := big.NewFloat(math.Abs(x)).Int(nil)
	half := new(big.Int).Rsh(unit, 1)
	n.Add(n, half).Div(n, unit).Mul(n, unit)
	f, _ := new(big.Float).SetInt(n).Float64()
	return math.Copysign(f, x)
}

func signRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	switch {
	case err != nil:
		return vec.Value{}, err
	case x > 0:
		return integer(1)
	case x < 0:
		return integer(-1)
	}
	return integer(0)
}

func sqrtRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	if err == nil && !(x >= 0) {
		err = fmt.Errorf("the square root of %v has no value", x)
	}
	if err != nil {
		return vec.Value{}, err
	}
	return vec.FloatValue(math.Sqrt(x)), nil
}
