package flow

// Remembered is the number of authorities whose policies are kept.
func Remembered() (n int) {
	policies.Range(func(_, _ any) bool { n++; return true })
	return n
}

// MostPolicies bounds them.
const MostPolicies = mostPolicies
