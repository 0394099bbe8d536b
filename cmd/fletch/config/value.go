package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"fletch/local"
)

// Value takes a setting's text. Its error says what is wanted.
type Value interface {
	Set(text string) error
}

type valueFunc func(text string) error

func (f valueFunc) Set(text string) error { return f(text) }

type switchValue struct{ to *bool }

func (v switchValue) Set(text string) error {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("want true or false")
	}
	*v.to = on
	return nil
}

// Switch is true or false.
func Switch(to *bool) Value { return switchValue{to} }

// Text is any text.
func Text(to *string) Value {
	return valueFunc(func(text string) error {
		*to = text
		return nil
	})
}

// Choice is one of several words.
func Choice(to *string, words ...string) Value {
	return valueFunc(func(text string) error {
		if !slices.Contains(words, text) {
			return fmt.Errorf("want %s", strings.Join(words, " or "))
		}
		*to = text
		return nil
	})
}

// Count is a number within limits.
func Count(to *int, least, most int) Value {
	return valueFunc(func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a number from %d to %d", least, most)
		}
		*to = n
		return nil
	})
}

// Size is a number of bytes.
func Size(to *int64, least, most int64) Value {
	return valueFunc(func(text string) error {
		n, err := local.ParseSize(text)
		switch {
		case err != nil:
			return errors.New("want a size with its unit, such as 512MiB or 2GB")
		case n < least:
			return fmt.Errorf("want at least %d MiB", least>>20)
		case n > most:
			return fmt.Errorf("want at most %d MiB", most>>20)
		}
		*to = n
		return nil
	})
}

// Duration is a time with its unit.
func Duration(to *time.Duration, least time.Duration) Value {
	return valueFunc(func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < least {
			return fmt.Errorf("want a duration of at least %v, such as 500ms, 10s or 2m", least)
		}
		*to = d
		return nil
	})
}

// Address is host:port. A listener may leave out the host.
func Address(to *string) Value {
	return valueFunc(func(text string) error {
		if !isAddress(text) {
			return errors.New("want an address, as host:port")
		}
		*to = text
		return nil
	})
}

// Addresses are several of host:port, with commas between them.
func Addresses(to *[]string) Value {
	return valueFunc(func(text string) error {
		var list []string
		for address := range strings.SplitSeq(text, ",") {
			address = strings.TrimSpace(address)
			if !isAddress(address) {
				return errors.New("want addresses, as host:port,host:port")
			}
			list = append(list, address)
		}
		*to = list
		return nil
	})
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// Pair is a name with an address.
type Pair struct{ Name, Address string }

// Pairs are several of name=host:port, with commas between them.
func Pairs(to *[]Pair) Value {
	return valueFunc(func(text string) error {
		var list []Pair
		for item := range strings.SplitSeq(text, ",") {
			name, address, ok := strings.Cut(strings.TrimSpace(item), "=")
			if !ok || name == "" || !isAddress(address) {
				return errors.New("want names with addresses, as m1=host:port,m2=host:port")
			}
			if slices.ContainsFunc(list, func(p Pair) bool { return p.Name == name || p.Address == address }) {
				return fmt.Errorf("%s stands there twice", item)
			}
			list = append(list, Pair{name, address})
		}
		*to = list
		return nil
	})
}
