package cache

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestOptionDefaults(t *testing.T) {
	for name, o := range map[string]*Options{"nil": nil, "zero": {}} {
		c, err := o.withDefaults()
		if err != nil {
			t.Fatal(name, err)
		}
		if c.InlineBelow != 1<<10 || c.Durability != Group || c.Reserve != 256<<20 || c.ParkAfter != 30*time.Second ||
			c.LockWait != 0 || c.VerifyAfter != 24*time.Hour || c.OnCorrupt != nil {
			t.Errorf("%s: %+v is not what the comments say", name, c)
		}
		if c.Logger == nil || c.Logger.Enabled(t.Context(), slog.LevelError) {
			t.Errorf("%s: logger %v is not silent", name, c.Logger)
		}
		if c.Now == nil || time.Since(c.Now()).Abs() > time.Minute {
			t.Errorf("%s: the clock is not the system's", name)
		}
	}
}

// What the host says stays, negative values too, and its struct is not changed.
func TestOptionsStay(t *testing.T) {
	now := time.Unix(1, 2)
	o := Options{InlineBelow: -1, Durability: Always, Reserve: -1, ParkAfter: -1, LockWait: -1, VerifyAfter: -1,
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	c, err := o.withDefaults()
	if err != nil || c.InlineBelow != -1 || c.Durability != Always || c.Reserve != -1 || c.ParkAfter != -1 ||
		c.LockWait != -1 || c.VerifyAfter != -1 || c.Logger != o.Logger || !c.Now().Equal(now) {
		t.Errorf("%+v became %+v: %v", o, c, err)
	}
	zero := Options{}
	if _, err := zero.withDefaults(); err != nil || zero.Logger != nil || zero.InlineBelow != 0 || zero.Now != nil {
		t.Errorf("the host's options were changed to %+v: %v", zero, err)
	}
}

func TestOptionBounds(t *testing.T) {
	for _, c := range []struct {
		o     Options
		field string // "" is fine
	}{
		{Options{InlineBelow: 1}, ""},
		{Options{InlineBelow: 4096}, ""},
		{Options{InlineBelow: 4097}, "InlineBelow"},
		{Options{InlineBelow: 1 << 30}, "InlineBelow"},
		{Options{InlineBelow: -1 << 30}, ""},
		{Options{Durability: Always}, ""},
		{Options{Durability: None}, ""},
		{Options{Durability: Always + 1}, "Durability"},
		{Options{Durability: 255}, "Durability"},
		{Options{Reserve: 1 << 62, ParkAfter: 1 << 62, LockWait: 1 << 62, VerifyAfter: 1 << 62}, ""},
	} {
		_, err := c.o.withDefaults()
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%+v: %v", c.o, err)
		case c.field != "" && (err == nil || !strings.Contains(err.Error(), "Options."+c.field+" is ")):
			t.Errorf("%+v: %v does not name %s", c.o, err, c.field)
		}
	}
}
